import { rename } from 'node:fs/promises';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import {
  type BasicType,
  type ColumnSource,
  fileWriter,
  ParquetWriter,
  schemaFromColumnData,
} from 'hyparquet-writer';

/** The columns of a file by their names, in order. Any value may be null. */
export type Columns = Readonly<Record<string, BasicType>>;
export type Row = Readonly<Record<string, string | number | boolean | null>>;

/** Writes rows to a Parquet file that is there whole or not at all. */
export async function writeParquet(path: string, columns: Columns, rows: readonly Row[]): Promise<void> {
  const writer = openParquet(`${path}.new`, columns);
  await writer.write({ columnData: toColumns(columns, rows) });
  await writer.finish();
  await rename(`${path}.new`, path);
}

/** Puts files of the same columns behind each other into one, which is there whole or not at all. */
export async function joinParquet(path: string, columns: Columns, parts: readonly string[]): Promise<void> {
  const writer = openParquet(`${path}.new`, columns);
  for (const part of parts) await writer.write({ columnData: toColumns(columns, await readParquet(part)) });
  await writer.finish();
  await rename(`${path}.new`, path);
}

/** The rows of a file that is small, or some of its columns. */
export async function readParquet(path: string, columns?: readonly string[]): Promise<Row[]> {
  const file = await asyncBufferFromFile(path);
  return (await parquetReadObjects({ file, ...(columns ? { columns: [...columns] } : {}) })) as Row[];
}

function openParquet(path: string, columns: Columns): ParquetWriter {
  const schema = schemaFromColumnData({ columnData: toColumns(columns, []) });
  return new ParquetWriter({ writer: fileWriter(path), schema, createdBy: 'vlmo-pipeline' });
}

function toColumns(columns: Columns, rows: readonly Row[]): ColumnSource[] {
  return Object.entries(columns).map(([name, type]) => ({
    ...{ name, type, nullable: true },
    data: rows.map((row) => row[name]),
  }));
}
