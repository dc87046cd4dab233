import { isDeepStrictEqual } from 'node:util';
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
/** Queries that are scored together, where callers wait; each of them waits for all. */
const MAX_TOGETHER = 64;
/** Queries for more rows than this are not held up, and hold up nobody, by being scored with others. */
const MAX_SHARED_K = 256;

interface Waiting {
  readonly queries: Float32Array;
  readonly options: NearestOptions;
  readonly resolve: (found: Found[][]) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * A scorer on a device. The first query loads the table; each one sees all commits made before it. Queries that come while
 * others are scored wait, and are scored together; one that is aborted leaves. Throws SCORING_FAILED
 * where the device or the disk cannot take the vectors, and what reading the store throws.
 */
export function createResidentScorer<Row>(
  table: AddressedRows & PlacedRows<Row>,
  options: ScorerOptions,
): ResidentScorer<Row> {
  const { dimensions } = options;
  const corpus = new ResidentVectors(table, options);
  const waiting: Waiting[] = [];
  // One run after the other: a refresh changes what a query reads.
  let isWorking = false;
  let working = Promise.resolve();

  function nearestIds(queries: Float32Array, asked: NearestOptions): Promise<Found[][]> {
    const { k, signal } = asked;
    if (queries.length % dimensions !== 0)
      throw new Error(
        `Cannot score: expected rows of ${dimensions} values, received ${queries.length} in all`,
      );
    if (k < 1) return Promise.resolve(Array.from({ length: queries.length / dimensions }, () => []));
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const at = waiting.indexOf(entry);
        if (at >= 0) waiting.splice(at, 1);
        entry.reject(signal?.reason);
      };
      const stay = (): void => signal?.removeEventListener('abort', leave);
      const entry: Waiting = {
        ...{ queries, options: asked },
        resolve: (found) => [stay(), resolve(found)],
        reject: (reason) => [stay(), reject(reason)],
      };
      signal?.addEventListener('abort', leave, { once: true });
      waiting.push(entry);
      if (!isWorking) working = work();
    });
  }

  async function work(): Promise<void> {
    isWorking = true;
    while (waiting.length > 0) await scoreTogether(takeBatch(waiting, dimensions));
    isWorking = false;
  }

  async function scoreTogether(batch: readonly Waiting[]): Promise<void> {
    try {
      const where = batch[0]?.options.where;
      const k = Math.max(...batch.map(({ options: { k } }) => k));
      // Pages go on by the scores of single searches, each with others beside it or none.
      const isRepeatable = batch.every(({ queries }) => queries.length === dimensions);
      const view: RowMask = await (where === undefined ? corpus.all() : corpus.matching(where));
      const found = await score(view, corpus.tail, join(batch), dimensions, k, { isRepeatable });
      let from = 0;
      for (const { queries, options, resolve } of batch) {
        const count = queries.length / dimensions;
        resolve(found.slice(from, from + count).map((rows) => rows.slice(0, options.k)));
        from += count;
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    device: options.device,
    nearestIds: async (queries, asked) => nearestIds(queries, asked),
    async nearest(query, asked) {
      for (let tried = 1; ; tried++) {
        const [found = []] = await nearestIds(query, asked);
        const rows = await table.rowsAt(found.map(({ address }) => address));
        const hits = found.flatMap(({ address, score }) => {
          const row = rows.get(address);
          return row ? [{ row, score }] : [];
        });
        if (hits.length === found.length || tried === MAX_TRIES) return hits;
      }
    },
    async [Symbol.asyncDispose]() {
      await working;
      await corpus[Symbol.asyncDispose]();
    },
  };
}

/**
 * The one that waits longest, and others for the same rows, as many as are good for one run. Single queries, whose callers
 * want an answer, go before the many of a retrieval.
 */
function takeBatch(waiting: Waiting[], dimensions: number): Waiting[] {
  const first = waiting.find(({ queries }) => queries.length === dimensions) ?? waiting[0];
  const batch: Waiting[] = [];
  let values = 0;
  for (const entry of waiting) {
    const isLone = entry.queries.length === dimensions && values < MAX_TOGETHER * dimensions;
    const isBeside = isLone && first?.queries.length === dimensions;
    if (entry !== first && !(isBeside && goTogether(first.options, entry.options))) continue;
    batch.push(entry);
    values += entry.queries.length;
  }
  for (const entry of batch) waiting.splice(waiting.indexOf(entry), 1);
  return batch;
}

function goTogether(a: NearestOptions, b: NearestOptions): boolean {
  const isShort = Math.max(a.k, b.k) <= MAX_SHARED_K;
  return (isShort || a.k === b.k) && isDeepStrictEqual(a.where, b.where);
}

function join(batch: readonly Waiting[]): Float32Array {
  const [first] = batch;
  if (first && batch.length === 1) return first.queries;
  const all = new Float32Array(batch.reduce((sum, { queries }) => sum + queries.length, 0));
  let at = 0;
  for (const { queries } of batch) {
    all.set(queries, at);
    at += queries.length;
  }
  return all;
}
