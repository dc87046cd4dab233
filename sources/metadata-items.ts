import { stat } from 'node:fs/promises';
import { isOfTheMachine, toErrorData, VlmoError } from '#errors.ts';
import { filePath } from '#uri.ts';
import type { Description } from './beside.ts';
import { metadataRules } from './columns.ts';
import type { FolderReading, Place } from './folder-reading.ts';
import type { Item, SourceOptions } from './item.ts';
import { isInside } from './linked-folders.ts';
import { manifestRows } from './manifest-rows.ts';
import { locateInside } from './picture-path.ts';
import type { RowBatch } from './row.ts';
import { pushRowItems } from './row-items.ts';
import { tableDialect } from './table-dialect.ts';

/** The convention of the Hugging Face ImageFolder. */
export const METADATA_NAMES: readonly string[] = ['metadata.csv', 'metadata.jsonl', 'metadata.parquet'];

/** The items of a table that names the pictures of its folder. */
export async function* metadataItems(
  { folder, prefix, real }: Place,
  { name: fileName, uri: file, isLink }: Description,
  { options, notes, filter, pictures, givenIds }: FolderReading,
): AsyncGenerator<readonly Item[], void, void> {
  const name = prefix + fileName;
  const locate = locateInside(folder, prefix);
  try {
    await checkFile(file, isLink, real);
    for await (const { rows } of await rowsOf(file, options)) {
      const items: Item[] = [];
      for (const row of rows) {
        if ('meta' in row && row.captions.length === 0) notes.noCaptionIn(row.meta);
        pushRowItems(row, { file, name, locate, pictures, givenIds }, items);
      }
      notes.addCaptions(items.filter(({ kind }) => kind === 'caption').length);
      yield items.filter((item) => {
        const picture = item.kind === 'caption' ? item.imageId : item.kind === 'image' ? item.id : null;
        const reason = picture === null ? undefined : filter.named(picture);
        if (reason !== undefined && item.kind === 'image') notes.leaveOut(reason, item.id);
        return reason === undefined;
      });
    }
  } catch (error) {
    // A table of another kind may have that name: the pictures are indexed without it.
    if (!(error instanceof VlmoError) || isOfTheMachine(error)) throw error;
    yield [{ kind: 'broken', id: name, uri: file, error: toErrorData(error, 'SOURCE_ROW_INVALID') }];
  }
}

async function rowsOf(uri: string, options: SourceOptions): Promise<AsyncGenerator<RowBatch, void, void>> {
  const rules = metadataRules(options);
  const dialect = await tableDialect(uri, rules, { ...options, format: undefined });
  if (dialect === undefined) throw unreadable(uri, 'no table');
  return manifestRows(uri, rules, dialect);
}

/** A pipe would block the reader for ever, and a link may lead to what is nobody's business here. */
async function checkFile(uri: string, isLink: boolean, folder: string): Promise<void> {
  if (isLink && !(await isInside(uri, folder)))
    throw unreadable(uri, 'a link that leads out of it, or to nothing');
  const found = await stat(filePath(uri)).catch(() => undefined);
  if (!found?.isFile()) throw unreadable(uri, 'something else');
}

function unreadable(uri: string, received: string): VlmoError {
  return new VlmoError(
    'SOURCE_ROW_INVALID',
    `Cannot read "${uri}": expected a file of its folder, received ${received}`,
  );
}
