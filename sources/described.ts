import { hash } from 'node:crypto';
import type { Description } from './beside.ts';
import { fileStamp } from './file-stamp.ts';
import type { SourceOptions } from './item.ts';

/** What the files beside a picture gave when they were read, in a text that is kept with the picture. */
export interface Described {
  /** Of `describedDigest`. */
  readonly digest: string;
  readonly captions: number;
  /** Which of the files were blank. */
  readonly blank: readonly number[];
  /** Whether one of them has no place for captions, and other keys. */
  readonly isBare: boolean;
}

/** A digest of what decides what these files give: their names, sizes and times, and how they are read. Undefined where one was changed just now. */
export async function describedDigest(
  descriptions: readonly Description[],
  { captionLines = false, captionColumns = [] }: SourceOptions,
): Promise<string | undefined> {
  const parts: unknown[] = [captionLines, captionColumns];
  for (const { name, uri, isLink } of descriptions) {
    // A link may lead elsewhere by now, and what it leads to out of the folder.
    const stamp = isLink ? undefined : await fileStamp(uri);
    if (stamp === undefined) return undefined;
    parts.push(name, stamp);
  }
  return hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 22);
}

export function toDescribed({ digest, captions, blank, isBare }: Described): string {
  return [digest, captions, blank.join('+'), isBare ? 'bare' : ''].join('.');
}

/** What `toDescribed` was given. */
export function parseDescribed(text: string): Described {
  const [digest = '', captions = '', blank = '', bare = ''] = text.split('.');
  const numbers = blank === '' ? [] : blank.split('+').map(Number);
  return { digest, captions: Number(captions), blank: numbers, isBare: bare !== '' };
}
