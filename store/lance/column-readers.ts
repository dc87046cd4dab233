import type { Data, RecordBatch } from 'apache-arrow';
import { fromWellFormed } from '#well-formed.ts';

/** The value of one column in row `index` of a batch that was read. */
export type Reader<Value> = (index: number) => Value;

export function readText(batch: RecordBatch, name: string): Reader<string> {
  const text = readOptionalText(batch, name);
  return (index) => text(index) ?? '';
}

/** Read without Arrow's TextDecoder, which swallows a byte order mark at the start of a text. */
export function readOptionalText(batch: RecordBatch, name: string): Reader<string | null> {
  const data = columnData(batch, name);
  const { buffer, byteOffset, byteLength } = data.values as Uint8Array;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  const offsets = data.valueOffsets as Int32Array;
  return (index) =>
    data.getValid(index) ? fromWellFormed(bytes.toString('utf8', offsets[index], offsets[index + 1])) : null;
}

/** Whole numbers of 32 or 64 bits, and the 32-bit floats of `_distance`. */
export function readNumber(batch: RecordBatch, name: string): Reader<number> {
  const values = columnData(batch, name).values as Int32Array | BigInt64Array | Float32Array;
  return (index) => Number(values[index]);
}

export function readOptionalNumber(batch: RecordBatch, name: string): Reader<number | null> {
  const data = columnData(batch, name);
  const number = readNumber(batch, name);
  return (index) => (data.getValid(index) ? number(index) : null);
}

export function readBool(batch: RecordBatch, name: string): Reader<boolean> {
  const values = columnData(batch, name).values as Uint8Array;
  return (index) => (((values[index >> 3] as number) >> (index & 7)) & 1) === 1;
}

export function readTime(batch: RecordBatch, name: string): Reader<Date> {
  const milliseconds = readNumber(batch, name);
  return (index) => new Date(milliseconds(index));
}

export function readOptionalTime(batch: RecordBatch, name: string): Reader<Date | null> {
  const data = columnData(batch, name);
  const time = readTime(batch, name);
  return (index) => (data.getValid(index) ? time(index) : null);
}

/** The float16 bits [dimensions] of row `index`: a view, valid as long as the batch is. */
export function readVector(batch: RecordBatch, name: string, dimensions: number): Reader<Uint16Array> {
  const values = columnData(batch, name).children[0]?.values as Uint16Array;
  return (index) => values.subarray(index * dimensions, (index + 1) * dimensions);
}

/** The float16 bits of all rows [rows * dimensions]: a view, valid as long as the batch is. */
export function readAllVectors(batch: RecordBatch, name: string, dimensions: number): Uint16Array {
  const values = columnData(batch, name).children[0]?.values as Uint16Array;
  return values.subarray(0, batch.numRows * dimensions);
}

/** Where each row lies: fragment in the upper 32 bits, place in it in the lower ones. */
export function readAddress(batch: RecordBatch): BigUint64Array {
  return columnData(batch, '_rowid').values as BigUint64Array;
}

function columnData(batch: RecordBatch, name: string): Data {
  const data = batch.getChild(name)?.data[0];
  // Lance's batches arrive one by one over IPC, so a column is one chunk that starts at its first row.
  if (data === undefined || data.offset !== 0) {
    throw new Error(`Cannot read column "${name}": expected one whole chunk, this is a bug`);
  }
  return data;
}
