import type { Device } from '#devices/device.ts';
import type { AddressedRows, NearestOptions, NearestRows, PlacedRows } from '#store/contract.ts';
import { ResidentVectors, type ResidentVectorsOptions } from './resident-vectors.ts';
import type { RowMask } from './row-mask.ts';
import { type Found, score } from './score.ts';

/** Exact search over a table whose vectors stay on a device from one query to the next. */
export interface ResidentScorer<Row> extends NearestRows<Row>, AsyncDisposable {
  readonly device: Device;
  /** Ids and scores of the k best rows for each of many queries, [Q, D] of unit length. */
  nearestIds(queries: Float32Array, options: NearestOptions): Promise<Found[][]>;
}

export interface ScorerOptions extends ResidentVectorsOptions {}

/** Rows may change between scoring and reading them: then all is done again. */
const MAX_TRIES = 5;

/**
 * A scorer on a device. The first query loads the table; each one sees all commits made before it. Throws SCORING_FAILED
 * where the device or the disk cannot take the vectors, and what reading the store throws.
 */
export function createResidentScorer<Row>(
  table: AddressedRows & PlacedRows<Row>,
  options: ScorerOptions,
): ResidentScorer<Row> {
  const corpus = new ResidentVectors(table, options);
  // One after the other: a refresh changes what a query reads.
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = last.then(step);
    last = result.catch(() => undefined);
    return result;
  }

  async function nearestIds(queries: Float32Array, { k, where }: NearestOptions): Promise<Found[][]> {
    const { dimensions } = options;
    if (queries.length % dimensions !== 0)
      throw new Error(
        `Cannot score: expected rows of ${dimensions} values, received ${queries.length} in all`,
      );
    const count = queries.length / dimensions;
    if (k < 1) return Array.from({ length: count }, () => []);
    const view: RowMask = await (where === undefined ? corpus.all() : corpus.matching(where));
    return score(view, corpus.tail, queries, dimensions, k);
  }

  return {
    device: options.device,
    nearestIds: (queries, asked) => inTurn(() => nearestIds(queries, asked)),
    nearest: (query, asked) =>
      inTurn(async () => {
        for (let tried = 1; ; tried++) {
          const [found = []] = await nearestIds(query, asked);
          const rows = await table.findPlaces(found.map(({ id }) => id));
          const hits = found.flatMap(({ id, score }) => {
            const row = rows.get(id);
            return row ? [{ row, score }] : [];
          });
          if (hits.length === found.length || tried === MAX_TRIES) return hits;
        }
      }),
    [Symbol.asyncDispose]: () => inTurn(() => corpus[Symbol.asyncDispose]()),
  };
}
