import { rename } from 'node:fs/promises';
import { asyncBufferFromFile, parquetReadObjects, type SchemaElement } from 'hyparquet';
import {
  type BasicType,
  type ColumnSource,
  fileWriter,
  ParquetWriter,
  schemaFromColumnData,
} from 'hyparquet-writer';

/** `FLOATS` is a list of float32 numbers. */
export type ColumnType = BasicType | 'FLOATS';
/** The columns of a file by their names, in order. Any value may be null, lists aside. */
export type Columns = Readonly<Record<string, ColumnType>>;
export type Row = Readonly<Record<string, string | number | boolean | null>>;
/** A value of any column: an INT64 is a bigint, a TIMESTAMP a Date, FLOATS are an array. */
export type Cell = string | number | bigint | boolean | Date | readonly number[] | null;

/** A file that is written piece by piece; whoever reads it before `finish` finds no Parquet file. */
export interface ParquetFile {
  /** One row group: the values of each column, by their names. */
  write(values: Readonly<Record<string, readonly Cell[]>>): Promise<void>;
  finish(): Promise<void>;
}

export function createParquet(path: string, columns: Columns): ParquetFile {
  const flat = Object.entries(columns).filter((column): column is [string, BasicType] => !isList(column));
  const inferred = schemaFromColumnData({
    columnData: flat.map(([name, type]) => ({ name, type, nullable: true, data: [] })),
  });
  const byName = new Map(inferred.slice(1).map((element) => [element.name, element]));
  const schema = [
    { name: 'root', num_children: Object.keys(columns).length },
    ...Object.keys(columns).flatMap((name) => byName.get(name) ?? listElements(name)),
  ];
  const writer = new ParquetWriter({ writer: fileWriter(path), schema, createdBy: 'vlmo-pipeline' });
  return {
    async write(values) {
      const [first = []] = Object.values(values);
      const columnData = toColumnData(columns, values);
      await writer.write({ columnData, rowGroupSize: Math.max(1, first.length) });
    },
    async finish() {
      await writer.finish();
    },
  };
}

/** Writes rows to a Parquet file that is there whole or not at all. */
export async function writeParquet(path: string, columns: Columns, rows: readonly Row[]): Promise<void> {
  const file = createParquet(`${path}.new`, columns);
  await file.write(byColumn(columns, rows));
  await file.finish();
  await rename(`${path}.new`, path);
}

/** Puts files of the same columns behind each other into one, which is there whole or not at all. */
export async function joinParquet(path: string, columns: Columns, parts: readonly string[]): Promise<void> {
  const file = createParquet(`${path}.new`, columns);
  for (const part of parts) await file.write(byColumn(columns, await readParquet(part)));
  await file.finish();
  await rename(`${path}.new`, path);
}

/** The rows of a file that is small, or some of its columns. */
export async function readParquet(path: string, columns?: readonly string[]): Promise<Row[]> {
  const file = await asyncBufferFromFile(path);
  return (await parquetReadObjects({ file, ...(columns ? { columns: [...columns] } : {}) })) as Row[];
}

function isList([, type]: readonly [string, ColumnType]): boolean {
  return type === 'FLOATS';
}

/** The three levels by which Parquet says that a column is a list. */
function listElements(name: string): SchemaElement[] {
  return [
    { name, repetition_type: 'REQUIRED', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
  ];
}

function byColumn(columns: Columns, rows: readonly Row[]): Readonly<Record<string, readonly Cell[]>> {
  const names = Object.keys(columns);
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name] ?? null)]));
}

function toColumnData(columns: Columns, values: Readonly<Record<string, readonly Cell[]>>): ColumnSource[] {
  return Object.entries(columns).map((column) => {
    const [name] = column;
    const data = [...(values[name] ?? [])];
    // Numbers drawn by a model repeat nowhere: neither a dictionary nor Snappy makes them smaller.
    if (isList(column)) return { name, data, encoding: 'PLAIN', codec: 'UNCOMPRESSED', statistics: false };
    // Texts come in no order: their least and greatest would spare a reader nothing.
    const statistics = column[1] !== 'STRING';
    return { name, data, type: column[1] as BasicType, nullable: true, statistics };
  });
}
