import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { errorMessage, VlmoError } from '#errors.ts';
import { throwIfMachine } from '#machine-error.ts';
import { filePath } from '#uri.ts';
import { type ColumnRules, resolveColumns } from './columns.ts';
import { createObjectRow } from './object-row.ts';
import type { RowBatch } from './row.ts';

/**
 * Streams the rows of a Parquet file, a row group at a time. Throws SOURCE_COLUMN_MISSING where it has no column for what was
 * asked, and SOURCE_ROW_INVALID where it cannot be read.
 */
export async function* parquetRows(uri: string, rules: ColumnRules): AsyncGenerator<RowBatch, void, void> {
  const path = filePath(uri);
  if (typeof path !== 'string') throw unreadable(uri, 'a name that is no UTF-8');
  const { file, metadata } = await open(uri, path);
  const names = metadata.schema.flatMap(({ name }, at) => (at === 0 ? [] : [name]));
  const columns = resolveColumns(names, rules);
  if (typeof columns === 'string')
    throw new VlmoError('SOURCE_COLUMN_MISSING', `Cannot read "${uri}": ${columns}`);
  const objectRow = createObjectRow(rules);
  let rowStart = 0;
  for (const { num_rows: rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(rows);
    const options = { file, metadata, rowStart, rowEnd };
    const read = await parquetReadObjects(options).catch((error: unknown) => {
      throwIfMachine(`Cannot read "${uri}"`, error);
      throw unreadable(uri, `one that is damaged or compressed otherwise (${errorMessage(error)})`);
    });
    const first = rowStart + 1;
    const position = Math.round((file.byteLength * rowEnd) / Math.max(1, Number(metadata.num_rows)));
    yield { rows: read.map((row, at) => objectRow(first + at, plain(row) as typeof row)), position };
    rowStart = rowEnd;
  }
}

async function open(uri: string, path: string) {
  try {
    const file = await asyncBufferFromFile(path);
    return { file, metadata: await parquetMetadataAsync(file) };
  } catch (error) {
    throwIfMachine(`Cannot read "${uri}"`, error);
    throw unreadable(uri, `another one (${errorMessage(error)})`);
  }
}

/** Values as JSON would have them: integers that a double is too coarse for as their digits, times as texts, no bytes. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'object' || value === null) return value ?? null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return null;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

function unreadable(uri: string, received: string): VlmoError {
  return new VlmoError(
    'SOURCE_ROW_INVALID',
    `Cannot read "${uri}": expected a Parquet file, received ${received}`,
  );
}
