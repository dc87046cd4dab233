import type { GrowingRows } from './growing-rows.ts';
import type { Scored } from './protocol.ts';
import type { RowMask } from './row-mask.ts';
import { HIDDEN } from './top-k-graph.ts';

export interface Found {
  readonly id: string;
  /** The product of query and stored vector in float64. */
  readonly score: number;
}

/** Rows fetched beyond k at first: enough that real data seldom needs a second look. */
const MARGIN = 64;

/**
 * The k best rows of a view for each query [Q, D], exactly as if each stored vector were multiplied in float64 and all
 * rows sorted by score, then id.
 *
 * A device adds in float32, so its scores are only right up to an error `e`. k rows have a device score of at least a,
 * the k-th; hence the true k-th score is at least a - e; hence every row of the answer has a device score of at least
 * a - 2e. So rows are fetched until each segment has given one below that (or all it has), and scored again.
 */
export async function score(
  view: RowMask,
  tail: GrowingRows,
  queries: Float32Array,
  dimensions: number,
  k: number,
): Promise<Found[][]> {
  const results = new Array<Found[]>(queries.length / dimensions);
  let open = Array.from(results.keys());
  for (let limit = k + MARGIN; open.length > 0; limit *= 4) {
    const vectors = open.map((q) => queries.subarray(q * dimensions, (q + 1) * dimensions));
    const fetched = await fetch(view, vectors, dimensions, limit);
    const undone: number[] = [];
    open.forEach((q, i) => {
      const found = best(view, tail, fetched, vectors[i] as Float32Array, i, k);
      if (found) results[q] = found;
      else undone.push(q);
    });
    open = undone;
  }
  return results;
}

/** The `limit` best rows of every segment for each query. */
function fetch(
  { parts }: RowMask,
  vectors: readonly Float32Array[],
  dimensions: number,
  limit: number,
): Promise<Scored[]> {
  const queries = new Float32Array(vectors.length * dimensions);
  vectors.forEach((vector, i) => {
    queries.set(vector, i * dimensions);
  });
  return Promise.all(
    parts.map(({ segment, bias }) =>
      segment.backend.score({ segment: segment.number, queries, k: limit, bias }),
    ),
  );
}

/** The k best of one query; undefined where more rows have to be fetched. */
function best(
  { parts, tail: shown }: RowMask,
  tail: GrowingRows,
  fetched: readonly Scored[],
  query: Float32Array,
  at: number,
  k: number,
): Found[] | undefined {
  const found: Found[] = [];
  for (const { id, values } of tail.rows(shown)) found.push({ id, score: dot(query, values) });
  const approximate = [
    ...found.map(({ score }) => score),
    ...fetched.flatMap((scored) => [...of(scored, at)]),
  ]
    .filter((value) => value > HIDDEN / 2)
    .sort((a, b) => b - a);
  const kth = approximate[k - 1] ?? Number.NEGATIVE_INFINITY;
  const least = kth - 2 * scoreError(query);
  const row = new Float32Array(query.length);
  for (const [i, { segment, count }] of parts.entries()) {
    const scored = fetched[i] as Scored;
    const values = of(scored, at);
    if (scored.k < count && !((values.at(-1) as number) < least)) return undefined;
    const rows = scored.rows.subarray(at * scored.k, (at + 1) * scored.k);
    for (let n = 0; n < scored.k; n++) {
      const value = values[n] as number;
      if (value < least || value < HIDDEN / 2) break;
      segment.file.read(rows[n] as number, row);
      found.push({ id: segment.ids.at(rows[n] as number), score: dot(query, row) });
    }
  }
  return found.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, k);
}

function of({ values, k }: Scored, at: number): Float32Array {
  return values.subarray(at * k, (at + 1) * k);
}

/**
 * A bound on how far a device's score can be from the product in float64: a sum of n float32 products in any order is off
 * by at most n units of 2^-24 times the product of the lengths (1 and a little); two more for the products and the bias.
 */
export function scoreError(query: Float32Array): number {
  return 1.01 * Math.hypot(...query) * (query.length + 2) * 2 ** -24;
}

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
