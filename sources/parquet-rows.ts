import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { errorMessage, VlmoError } from '#errors.ts';
import { throwIfMachine } from '#machine-error.ts';
import { filePath, memberUri } from '#uri.ts';
import type { ColumnRules } from './columns.ts';
import { type PictureColumn, pictureColumn } from './parquet-pictures.ts';
import { createPictureRow } from './picture-row.ts';
import { plainValue } from './plain-value.ts';
import type { RowBatch } from './row.ts';

/**
 * Streams the rows of a Parquet file, a row group at a time; a column of pictures is not read, its rows name where each lies. Of what
 * img2dataset wrote, rows without a picture say why. `name` is what the ids of rows begin with that have none. Throws
 * SOURCE_COLUMN_MISSING where it has no column for what was asked, and SOURCE_ROW_INVALID where it cannot be read.
 */
export async function* parquetRows(
  uri: string,
  rules: ColumnRules,
  name = basename(uri),
): AsyncGenerator<RowBatch, void, void> {
  const { file, metadata, size } = await openParquet(uri);
  const pictures = rules.needsImage ? undefined : pictureColumn(metadata, rules.named.imageColumn);
  const names = topNames(metadata);
  const toRow = createPictureRow(names, rules, pictures?.name, name);
  if (typeof toRow === 'string')
    throw new VlmoError('SOURCE_COLUMN_MISSING', `Cannot read "${uri}": ${toRow}`);
  const read = names.filter((one) => one !== pictures?.name);
  let rowStart = 0;
  for (const { num_rows: count } of metadata.row_groups) {
    const rowEnd = rowStart + Number(count);
    const first = rowStart + 1;
    const position = Math.round((size * rowEnd) / Math.max(1, Number(metadata.num_rows)));
    try {
      const objects =
        read.length === 0 ? emptyRows(Number(count)) : await readRows(file, metadata, read, rowStart, rowEnd);
      yield {
        rows: objects.map((object, at) => {
          const row = plainValue(object) as Readonly<Record<string, unknown>>;
          return toRow(first + at, row, pictures && placeOf(uri, size, first + at, pictures));
        }),
        position,
      };
    } catch (error) {
      throwIfMachine(`Cannot read "${uri}"`, error);
      if (rowEnd === Number(metadata.num_rows) && first === 1)
        throw unreadable(uri, `one that is damaged or compressed otherwise (${errorMessage(error)})`);
      const broken = `expected rows ${first} to ${rowEnd}, received a part that is damaged (${errorMessage(error)})`;
      yield { rows: [{ line: first, broken }], position };
    }
    rowStart = rowEnd;
  }
}

/** The names of the columns of a Parquet file, and whether one of them holds pictures. Throws SOURCE_ROW_INVALID. */
export async function parquetColumns(
  uri: string,
): Promise<{ readonly names: readonly string[]; readonly hasPictures: boolean }> {
  const { metadata } = await openParquet(uri);
  return { names: topNames(metadata), hasPictures: pictureColumn(metadata) !== undefined };
}

function topNames(metadata: FileMetaData): readonly string[] {
  return parquetSchema(metadata).children.map(({ element }) => element.name);
}

function readRows(
  file: AsyncBuffer,
  metadata: FileMetaData,
  columns: readonly string[],
  rowStart: number,
  rowEnd: number,
) {
  return parquetReadObjects({ file, metadata, columns: [...columns], rowStart, rowEnd, compressors });
}

function emptyRows(count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, () => ({}));
}

function placeOf(uri: string, size: number, line: number, { path }: PictureColumn): string {
  return memberUri('parquet', uri, { row: line - 1, column: path, size });
}

async function openParquet(uri: string) {
  const path = filePath(uri);
  if (typeof path !== 'string') throw unreadable(uri, 'a name that is no UTF-8');
  try {
    const file = await asyncBufferFromFile(path);
    return { file, metadata: await parquetMetadataAsync(file), size: (await stat(path)).size };
  } catch (error) {
    throwIfMachine(`Cannot read "${uri}"`, error);
    throw unreadable(uri, `another one (${errorMessage(error)})`);
  }
}

function unreadable(uri: string, received: string): VlmoError {
  return new VlmoError(
    'SOURCE_ROW_INVALID',
    `Cannot read "${uri}": expected a Parquet file, received ${received}`,
  );
}
