import type { RecordBatch } from 'apache-arrow';
import type { RowFormat } from './vector-rows.ts';

/** Long lists go in pieces, so that no statement grows beyond what a parser takes comfortably. */
export function* chunks<T>(values: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < values.length; start += CHUNK) yield values.slice(start, start + CHUNK);
}

const CHUNK = 4096;

/** All values of a stream that is known to be short. */
export async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

/** The rows of batches, in their order. */
export async function* rows<Row>(
  batches: AsyncIterable<RecordBatch>,
  format: Pick<RowFormat<Row>, 'reader'>,
): AsyncGenerator<Row> {
  for await (const batch of batches) {
    const row = format.reader(batch);
    for (let index = 0; index < batch.numRows; index++) yield row(index);
  }
}
