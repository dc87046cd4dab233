import type { RecordBatch } from 'apache-arrow';
import { HALF_VALUES } from '#float16.ts';
import type { Neighbour } from '#store/contract.ts';
import { byPlace, type ItemPlace } from '#store/item-key.ts';
import { readNumber, readText, readVector } from './column-readers.ts';
import type { RowFormat } from './vector-rows.ts';

export interface Rescored<Row> {
  /** The k rows of largest score, best first, ties by id, then source. */
  readonly best: Neighbour<Row>[];
  readonly fetched: number;
  /** Lance's distance of the k-th row as it came; infinite where there are fewer. */
  readonly kth: number;
  /** Lance's distance of the last row. */
  readonly last: number;
}

/** Scores rows that Lance found, with their `vector`, in float64, whatever it took their distance for. */
export async function rescore<Row>(
  batches: AsyncIterable<RecordBatch>,
  format: RowFormat<Row>,
  query: Float32Array,
  k: number,
): Promise<Rescored<Row>> {
  let candidates: Candidate<Row>[] = [];
  let fetched = 0;
  let kth = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for await (const batch of batches) {
    const id = readText(batch, 'id');
    const source = readText(batch, 'source');
    const vector = readVector(batch, 'vector', query.length);
    const distance = readNumber(batch, '_distance');
    const row = format.reader(batch);
    for (let index = 0; index < batch.numRows; index++) {
      fetched += 1;
      last = distance(index);
      if (fetched === k) kth = last;
      const place = { id: id(index), source: source(index) };
      candidates.push({ ...place, score: dot(query, vector(index)), row: () => row(index) });
    }
    // Thousands of equal pictures must not pile up in memory.
    if (candidates.length > 2 * k + MAX_SPARE) candidates = top(candidates, k);
  }
  const best = top(candidates, k).map(({ row, score }) => ({ row: row(), score }));
  return { best, fetched, kth, last };
}

interface Candidate<Row> extends ItemPlace {
  readonly score: number;
  /** Decoded only for rows that are returned. */
  readonly row: () => Row;
}

const MAX_SPARE = 256;

function dot(query: Float32Array, halves: Uint16Array): number {
  let sum = 0;
  for (let i = 0; i < query.length; i++)
    sum += (query[i] as number) * (HALF_VALUES[halves[i] as number] as number);
  return sum;
}

function top<Row>(candidates: Candidate<Row>[], k: number): Candidate<Row>[] {
  return candidates.sort((a, b) => b.score - a.score || byPlace(a, b)).slice(0, k);
}
