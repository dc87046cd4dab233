import { basename } from 'node:path';
import { absoluteUri } from '#uri.ts';
import type { Item } from './item.ts';
import { lineFraming } from './line-framing.ts';
import { readRecords } from './records.ts';

/**
 * Texts without pictures, one a line of a file, as captions with the ids `FILE:LINE`; lines are numbered as editors number
 * them, and blank ones passed over. A line that is no UTF-8 is a broken item. Throws SOURCE_NOT_FOUND, SOURCE_UNSUPPORTED.
 */
export async function* textLines(path: string): AsyncGenerator<Item, void, void> {
  const uri = absoluteUri(path);
  for await (const { bytes, records } of readRecords(uri, lineFraming)) {
    for (const { line, start, end, reason } of records) {
      const id = `${basename(path)}:${line}`;
      const caption = bytes.toString('utf8', start, end).trim();
      const refusal = reason ?? (caption.includes('\0') ? NO_TEXT : undefined);
      if (refusal !== undefined) {
        const message = `Cannot read line ${line} of "${uri}": ${refusal}`;
        yield { kind: 'broken', id, uri, error: { code: 'SOURCE_ROW_INVALID', message } };
      } else if (caption !== '') yield { kind: 'caption', id, imageId: null, uri, caption, meta: {} };
    }
  }
}

/** UTF-16 without its mark. */
const NO_TEXT = 'expected UTF-8 text, received NUL characters';
