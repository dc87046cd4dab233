import { stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { errorMessage, toErrorData } from '#errors.ts';
import { throwIfMachine } from '#machine-error.ts';
import { filePath, uriInside } from '#uri.ts';
import { type Description, stemOf } from './beside.ts';
import { manifestRules } from './columns.ts';
import type { FolderBatch, FolderReading, Place } from './folder-reading.ts';
import { isStatusTable, STATUS_COLUMNS, statusItem } from './img2dataset-status.ts';
import type { Item } from './item.ts';
import { parquetColumns, parquetRows } from './parquet-rows.ts';
import { locateFrom } from './picture-path.ts';
import { pushRowItems } from './row-items.ts';

type InFolder = Pick<Place, 'folder' | 'prefix'>;

/** What a table in a folder holds that describes none of its pictures. */
export type FolderTable = 'pictures' | 'status' | undefined;

/** Pictures in rows, or what img2dataset says of the folder or tar of the same name beside it. */
export async function tableIn({ folder }: InFolder, { name, uri }: Description): Promise<FolderTable> {
  if (!/\.parquet$/i.test(name)) return undefined;
  const { names, hasPictures } = await parquetColumns(uri).catch(() => ({ names: [], hasPictures: false }));
  if (hasPictures) return 'pictures';
  const beside = [stemOf(name), `${stemOf(name)}.tar`].map((other) => exists(uriInside(folder, other)));
  return isStatusTable(names) && (await Promise.all(beside)).includes(true) ? 'status' : undefined;
}

async function exists(uri: string): Promise<boolean> {
  return stat(filePath(uri)).then(
    () => true,
    () => false,
  );
}

/** The items of a table whose rows hold pictures, under its path. */
export async function* rowsWithPictures(
  { folder, prefix }: InFolder,
  { name: fileName, uri: file }: Description,
  { options, notes, pictures, givenIds }: FolderReading,
): AsyncGenerator<FolderBatch, void, void> {
  const name = prefix + fileName;
  const locate = locateFrom(folder);
  try {
    for await (const { rows } of parquetRows(file, manifestRules(options), name)) {
      const items: Item[] = [];
      for (const row of rows) {
        if ('meta' in row && row.captions.length === 0) notes.noCaptionIn(row.meta);
        pushRowItems(row, { file, name, locate, pictures, givenIds }, items);
      }
      notes.addCaptions(items.filter(({ kind }) => kind === 'caption').length);
      yield { items, passed: 0 };
    }
  } catch (error) {
    throwIfMachine(`Cannot read "${file}"`, error);
    const data = toErrorData(error, 'SOURCE_ROW_INVALID');
    yield { items: [{ kind: 'broken', id: name, uri: file, error: data }], passed: 0 };
  }
}

/** What img2dataset says of a tar, where it has written a table beside it; `tarName` is what the ids of the tar begin with. */
export async function* notDownloadedOf(
  tar: string,
  tarName: string,
): AsyncGenerator<FolderBatch, void, void> {
  const table = tar.replace(/\.tar$/i, '.parquet');
  const at = Math.max(table.lastIndexOf('/'), table.lastIndexOf(sep));
  const place = { folder: table.slice(0, at) || '/', prefix: tarName.slice(0, tarName.lastIndexOf('/') + 1) };
  const description = { name: table.slice(at + 1), uri: table, isLink: false };
  if (table !== tar && (await tableIn(place, description)) === 'status')
    yield* notDownloaded(place, description);
}

/** What img2dataset could not download, a broken item each. A table that is damaged is one too. */
export async function* notDownloaded(
  place: InFolder,
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
  { folder, prefix }: InFolder,
  { name, uri }: Description,
): AsyncGenerator<FolderBatch, void, void> {
  const isTar = await exists(uriInside(folder, `${stemOf(name)}.tar`));
  const inside = `${prefix}${isTar ? `${stemOf(name)}.tar` : stemOf(name)}/`;
  const file = await asyncBufferFromFile(String(filePath(uri)));
  const metadata = await parquetMetadataAsync(file);
  let rowStart = 0;
  for (const { num_rows: rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(rows);
    const options = { file, metadata, columns: [...STATUS_COLUMNS], rowStart, rowEnd, compressors };
    const read = await parquetReadObjects(options);
    const items = read.flatMap((row, at) => statusItem(row, inside, `${name}:${rowStart + at + 1}`));
    if (items.length > 0) yield { items, passed: 0 };
    rowStart = rowEnd;
  }
}
