import { type FileHandle, open } from 'node:fs/promises';
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync } from 'hyparquet';
import { errorMessage, VlmoError } from '#errors.ts';
import { errnoOf } from '#machine-error.ts';
import { filePath, memberOf } from '#uri.ts';
import { type ColumnPages, columnOf, findPages, readPage } from './column-pages.ts';

/** What is kept of the file that was read last: pictures come in the order of its rows. */
interface Opened {
  readonly stamp: string;
  readonly metadata: FileMetaData;
  /** By row group and column. */
  readonly pages: Map<string, ColumnPages>;
  /** The page that was read last. */
  last?: { readonly start: number; readonly values: readonly unknown[] };
}

let opened: Opened | undefined;

/**
 * The bytes of a picture in a row of a Parquet file, whose uri says where: `row` from 0, `column`, and the file's `size`, so that another file in its place
 * is not taken for it. Of its column only the page with the row is read. Throws ITEM_NOT_FOUND, ITEM_UNREADABLE, IMAGE_TOO_LARGE.
 */
export async function readParquetPicture(uri: string, maxBytes: number): Promise<Uint8Array> {
  const member = memberOf(uri);
  const [row, size] = ['row', 'size'].map((name) => Number(member?.place.get(name) ?? Number.NaN));
  const column = member?.place.get('column');
  if (!member || row === undefined || !Number.isSafeInteger(row) || row < 0 || !column)
    throw unreadable(uri, 'a row of a table', 'none');
  try {
    await using file = await open(filePath(member.container), 'r');
    const found = await file.stat({ bigint: true });
    if (Number(found.size) !== size)
      throw unreadable(uri, `a file of ${size} bytes`, `one of ${found.size}; index it again`);
    const stamp = `${member.container} ${found.size} ${found.mtimeNs}`;
    if (opened?.stamp !== stamp) {
      const buffer = await asyncBufferFromFile(String(filePath(member.container)));
      opened = { stamp, metadata: await parquetMetadataAsync(buffer), pages: new Map() };
    }
    const value = await readValue(file, opened, row, column);
    if (!(value instanceof Uint8Array)) throw unreadable(uri, 'a picture in this row', 'none');
    if (value.length <= maxBytes) return value;
    throw new VlmoError(
      'IMAGE_TOO_LARGE',
      `Cannot read image "${uri}": expected at most ${maxBytes} bytes, received ${value.length} (--max-image-bytes sets the limit)`,
    );
  } catch (error) {
    if (error instanceof VlmoError) throw error;
    const missing = ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
    throw new VlmoError(
      missing ? 'ITEM_NOT_FOUND' : 'ITEM_UNREADABLE',
      `Cannot read image "${uri}": expected a Parquet file, received ${missing ? 'none' : errorMessage(error)}`,
      { cause: error },
    );
  }
}

async function readValue(file: FileHandle, table: Opened, row: number, path: string): Promise<unknown> {
  const { metadata, pages } = table;
  let first = 0;
  for (const [index, group] of metadata.row_groups.entries()) {
    const inGroup = row - first;
    first += Number(group.num_rows);
    if (row >= first) continue;
    const column = columnOf(group, path);
    if (!column) return undefined;
    const name = `${index} ${path}`;
    const known = pages.get(name) ?? (await findPages(file, column));
    pages.set(name, known);
    const page = known.pages.find((one) => inGroup < one.first + one.rows);
    if (!page) return undefined;
    if (table.last?.start !== page.start)
      table.last = { start: page.start, values: await readPage(file, metadata, column, known, page) };
    return table.last.values[inGroup - page.first];
  }
  return undefined;
}

function unreadable(uri: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'ITEM_UNREADABLE',
    `Cannot read image "${uri}": expected ${expected}, received ${received}`,
  );
}
