import { stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { errorMessage } from '#errors.ts';
import { throwIfMachine } from '#machine-error.ts';
import { filePath, uriInside } from '#uri.ts';
import { type Description, stemOf } from './beside.ts';
import type { FolderBatch, Place } from './folder-reading.ts';
import type { BrokenItem } from './item.ts';
import { quote } from './quote.ts';

/** What img2dataset writes about each address it was given, beside what it stored. */
const COLUMNS = ['url', 'key', 'status', 'error_message'] as const;

/** Whether a file is the table of img2dataset about the folder or tar of the same name beside it. */
export async function isStatusTable(
  { folder }: Pick<Place, 'folder' | 'prefix'>,
  { name, uri }: Description,
): Promise<boolean> {
  if (!/\.parquet$/i.test(name)) return false;
  const stem = stemOf(name);
  const besides = await Promise.all(
    [stem, `${stem}.tar`].map((other) => stat(filePath(uriInside(folder, other))).catch(() => undefined)),
  );
  if (!besides.some((found) => found !== undefined)) return false;
  const names = await columnNames(uri).catch((): string[] => []);
  return COLUMNS.every((column) => names.includes(column));
}

async function columnNames(uri: string): Promise<string[]> {
  const metadata = await parquetMetadataAsync(await asyncBufferFromFile(String(filePath(uri))));
  return metadata.schema.map(({ name }) => name);
}

/** The table about a tar, where img2dataset has written one beside it; `tarName` is what the ids of the tar begin with. */
export async function* notDownloadedOf(
  tar: string,
  tarName: string,
): AsyncGenerator<FolderBatch, void, void> {
  const table = tar.replace(/\.tar$/i, '.parquet');
  const at = Math.max(table.lastIndexOf('/'), table.lastIndexOf(sep));
  const place = { folder: table.slice(0, at) || '/', prefix: tarName.slice(0, tarName.lastIndexOf('/') + 1) };
  const description = { name: table.slice(at + 1), uri: table, isLink: false };
  if (table !== tar && (await isStatusTable(place, description))) yield* notDownloaded(place, description);
}

/** What img2dataset could not download, a broken item each: it is not tried again here. A table that is damaged is one too. */
export async function* notDownloaded(
  place: Pick<Place, 'folder' | 'prefix'>,
  description: Description,
): AsyncGenerator<FolderBatch, void, void> {
  try {
    yield* rowsNotDownloaded(place, description);
  } catch (error) {
    throwIfMachine(`Cannot read "${description.uri}"`, error);
    const message = `Cannot read "${description.uri}": expected a Parquet file, received another one (${errorMessage(error)})`;
    const broken = {
      id: place.prefix + description.name,
      error: { code: 'SOURCE_ROW_INVALID', message },
    } as const;
    yield { items: [{ kind: 'broken', uri: description.uri, ...broken }], passed: 0 };
  }
}

async function* rowsNotDownloaded(
  { folder, prefix }: Pick<Place, 'folder' | 'prefix'>,
  { name, uri }: Description,
): AsyncGenerator<FolderBatch, void, void> {
  const stem = stemOf(name);
  const tar = await stat(filePath(uriInside(folder, `${stem}.tar`))).catch(() => undefined);
  const inside = `${prefix}${tar ? `${stem}.tar` : stem}/`;
  const file = await asyncBufferFromFile(String(filePath(uri)));
  const metadata = await parquetMetadataAsync(file);
  let rowStart = 0;
  for (const { num_rows: rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(rows);
    const read = await parquetReadObjects({ file, metadata, columns: [...COLUMNS], rowStart, rowEnd });
    const items = read.flatMap((row, at) => statusItem(row, inside, `${name}:${rowStart + at + 1}`));
    if (items.length > 0) yield { items, passed: 0 };
    rowStart = rowEnd;
  }
}

/** Nothing for a row whose picture was stored. */
export function statusItem(
  row: Readonly<Record<string, unknown>>,
  prefix: string,
  otherwise: string,
): readonly BrokenItem[] {
  const { url, key, status, error_message: reason } = row;
  if (status === 'success' || typeof status !== 'string') return [];
  const id = prefix + (typeof key === 'string' ? key : otherwise);
  const address = typeof url === 'string' ? url : id;
  const said = typeof reason === 'string' && reason !== '' ? `${status} (${reason})` : status;
  const message = `Cannot index ${quote(address)}: expected a picture that img2dataset has stored, received its status ${said}`;
  return [{ kind: 'broken', id, uri: address, error: { code: 'ITEM_NOT_DOWNLOADED', message } }];
}
