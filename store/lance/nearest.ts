import { floatToHalf, halfToFloat } from '#float16.ts';
import type { Neighbour } from '#store/contract.ts';
import type { LanceTable } from './lance-table.ts';
import { rescore } from './rescore.ts';
import type { RowFormat } from './vector-rows.ts';

export interface CompiledOptions {
  readonly k: number;
  /** A filter as SQL. */
  readonly where: string | undefined;
}

/**
 * The k rows of largest dot product with `query`, exactly as if each row's stored float16 values were multiplied
 * in float64 and the whole table sorted by score, then id, then source.
 *
 * Lance compares every vector, but rounds the query to float16 and adds in float32, so its order is only right
 * up to an error `e` (see `distanceError`). k rows have a Lance distance of at most d, the k-th; hence the true
 * k-th score is at least 1 - d - e; hence every row of the answer has a Lance distance of at most d + 2e. So rows
 * are fetched until one lies beyond that (or none is left), and what was fetched is scored again.
 *
 *      |<------- k ------->|<- could belong ->|
 *      0 ................. d ............. d + 2e ...  fetched up to here or further
 */
export async function findNearest<Row>(
  table: LanceTable,
  format: RowFormat<Row>,
  dimensions: number,
  query: Float32Array,
  { k, where }: CompiledOptions,
): Promise<Neighbour<Row>[]> {
  requireLength(query, dimensions);
  if (k < 1) return [];
  const error = distanceError(query);
  const columns = [...format.readColumns, 'vector'];
  for (let limit = k + MARGIN; ; limit *= 4) {
    const found = table.readNearest({ columns, where, query, limit });
    const { best, fetched, kth, last } = await rescore(found, format, query, k);
    if (fetched < limit || last > kth + 2 * error) return best;
  }
}

export function requireLength(query: Float32Array, dimensions: number): void {
  if (query.length === dimensions) return;
  throw new Error(`Cannot search: expected ${dimensions} values, received ${query.length}, this is a bug`);
}

/** Rows fetched beyond k at first: enough that real data seldom needs a second search. */
const MARGIN = 64;

/**
 * A bound on how far Lance's `_distance` can be from the true 1 - dot product:
 * - the query is rounded to float16, which by Cauchy-Schwarz moves the product by at most the length of what was
 *   lost, times the length of a stored vector (1 and a little);
 * - a sum of n float32 products in any order is off by at most n units of 2^-24 times the product of the lengths;
 *   two more for the products and the subtraction from 1.
 * Measured on random vectors of 64 to 1,024 dimensions: 1e-4 to 2e-5, a half to a fifth of the bound.
 */
function distanceError(query: Float32Array): number {
  const rounded = halfToFloat(floatToHalf(query));
  let lost = 0;
  for (let i = 0; i < query.length; i++) lost += ((query[i] as number) - (rounded[i] as number)) ** 2;
  return 1.01 * (Math.sqrt(lost) + (query.length + 2) * 2 ** -24);
}
