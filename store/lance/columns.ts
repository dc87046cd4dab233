import {
  Bool,
  type Data,
  type DataType,
  Field,
  FixedSizeList,
  Float16,
  Int32,
  Int64,
  makeData,
  TimestampMillisecond,
  Utf8,
} from 'apache-arrow';
import { toWellFormed } from '#well-formed.ts';

/** One column of a table: its Arrow field, and how its values are taken from rows. */
export interface Column<Row> {
  readonly field: Field;
  data(rows: readonly Row[]): Data;
}

/** UTF-8 text. */
export function textColumn<Row>(name: string, value: (row: Row) => string): Column<Row> {
  return { field: new Field(name, new Utf8(), false), data: (rows) => textData(rows.map(value)) };
}

/** UTF-8 text or null. */
export function optionalTextColumn<Row>(name: string, value: (row: Row) => string | null): Column<Row> {
  return { field: new Field(name, new Utf8(), true), data: (rows) => textData(rows.map(value)) };
}

/** JSON that Lance parses when it is written, so that its json_ functions can read it; must not be nested deeply:
 * Lance 12 overflows the stack at some thousand levels. */
export function jsonColumn<Row>(name: string, value: (row: Row) => string): Column<Row> {
  const metadata = new Map([['ARROW:extension:name', 'arrow.json']]);
  return { field: new Field(name, new Utf8(), false, metadata), data: (rows) => textData(rows.map(value)) };
}

export function int32Column<Row>(name: string, value: (row: Row) => number): Column<Row> {
  return fixedColumn(name, new Int32(), (rows) => Int32Array.from(rows, value));
}

/** Whole numbers up to 2^53. */
export function int64Column<Row>(name: string, value: (row: Row) => number): Column<Row> {
  return fixedColumn(name, new Int64(), (rows) => BigInt64Array.from(rows, (row) => BigInt(value(row))));
}

/** Whole numbers up to 2^53, or null. */
export function optionalInt64Column<Row>(name: string, value: (row: Row) => number | null): Column<Row> {
  return optionalFixedColumn(name, new Int64(), value);
}

export function timeColumn<Row>(name: string, value: (row: Row) => Date): Column<Row> {
  const type = new TimestampMillisecond();
  return fixedColumn(name, type, (rows) => BigInt64Array.from(rows, (row) => BigInt(value(row).getTime())));
}

export function optionalTimeColumn<Row>(name: string, value: (row: Row) => Date | null): Column<Row> {
  return optionalFixedColumn(name, new TimestampMillisecond(), (row: Row) => value(row)?.getTime() ?? null);
}

export function boolColumn<Row>(name: string, value: (row: Row) => boolean): Column<Row> {
  return fixedColumn(name, new Bool(), (rows) => bitmap(rows.map(value)));
}

/** The type of `vector`: float16 halves the bytes that exact search has to read. */
export function vectorField(dimensions: number): Field {
  return new Field('vector', new FixedSizeList(dimensions, new Field('item', new Float16(), true)), false);
}

/** float16 bits [rows, dimensions] as the data of `vectorField`. */
export function vectorData(halves: Uint16Array, dimensions: number): Data {
  const child = makeData({ type: new Float16(), length: halves.length, nullCount: 0, data: halves });
  const type = vectorField(dimensions).type as FixedSizeList<Float16>;
  return makeData({ type, length: halves.length / dimensions, nullCount: 0, child });
}

function fixedColumn<Row>(
  name: string,
  type: Int32 | Int64 | TimestampMillisecond | Bool,
  values: (rows: readonly Row[]) => Int32Array | BigInt64Array | Uint8Array,
): Column<Row> {
  return {
    field: new Field(name, type, false),
    data: (rows) =>
      makeData<DataType>({ type, length: rows.length, nullCount: 0, data: values(rows) } as never),
  };
}

function optionalFixedColumn<Row>(
  name: string,
  type: Int64 | TimestampMillisecond,
  value: (row: Row) => number | null,
): Column<Row> {
  return {
    field: new Field(name, type, true),
    data(rows) {
      const values = rows.map(value);
      const data = BigInt64Array.from(values, (number) => BigInt(number ?? 0));
      return makeData<DataType>({ type, length: rows.length, data, ...nulls(values) } as never);
    },
  };
}

/** Written straight into one buffer: Arrow's own builder takes ten times as long. */
function textData(values: readonly (string | null)[]): Data<Utf8> {
  const stored = values.map((value) => (value === null ? '' : toWellFormed(value)));
  const room = stored.reduce((sum, text) => sum + text.length * 3, 0); // UTF-8 needs at most 3 bytes per code unit
  const bytes = Buffer.allocUnsafe(room);
  const valueOffsets = new Int32Array(stored.length + 1);
  let end = 0;
  for (const [index, text] of stored.entries()) {
    end += bytes.write(text, end, 'utf8');
    valueOffsets[index + 1] = end;
  }
  const data = bytes.subarray(0, end);
  return makeData({ type: new Utf8(), length: stored.length, valueOffsets, data, ...nulls(values) });
}

function nulls(values: readonly unknown[]): { nullCount: number; nullBitmap?: Uint8Array } {
  const nullCount = values.filter((value) => value === null).length;
  return nullCount === 0
    ? { nullCount }
    : { nullCount, nullBitmap: bitmap(values.map((value) => value !== null)) };
}

function bitmap(flags: readonly boolean[]): Uint8Array {
  const bits = new Uint8Array((flags.length + 7) >> 3);
  for (const [index, flag] of flags.entries()) {
    if (flag) bits[index >> 3] = (bits[index >> 3] as number) | (1 << (index & 7));
  }
  return bits;
}
