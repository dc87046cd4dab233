import { type ErrorData, toErrorData, VlmoError } from '#errors.ts';
import type { Columns, Row } from '#parquet.ts';
import type { Found } from '#scorer/score.ts';
import type { CaptionRecord, Filter, ImageRecord, NearestOptions, PlacedRows } from '#store/contract.ts';
import { parsePlaceText, toPlaceText } from '#store/item-key.ts';
import type { QueryStream, RetrievalQuery } from './queries.ts';
import { type Rereading, reread } from './reread.ts';
import { ResultParts } from './result-parts.ts';

export interface Retrieval {
  readonly queries: QueryStream;
  /** Places and scores of the k best rows for each of many queries [Q, D]. */
  nearestIds(vectors: Float32Array, options: NearestOptions): Promise<Found[][]>;
  /** What is stored beside the vectors of some ids. */
  readonly rows: PlacedRows<ImageRecord | CaptionRecord>;
  readonly k: number;
  readonly where?: Filter | undefined;
  /** Hits below this cosine are left out. */
  readonly minScore?: number | undefined;
  /** Reads the first of each query again, where that is asked: columns of cosine and match are beside the score then. */
  readonly rereading?: Rereading | undefined;
  /** The Parquet file that is written. */
  readonly out: string;
  /** All that decides the results, to tell whether an earlier run over the same file goes on. */
  readonly asked: object;
  /** Stops at once; queries in hand are answered by the call that goes on. */
  readonly signal: AbortSignal;
  readonly onStart?: (progress: () => RetrievalProgress) => void;
}

export interface RetrievalProgress {
  /** Queries answered now, answered by an earlier run, and without a vector. */
  readonly answered: number;
  readonly skipped: number;
  readonly failed: number;
  readonly hits: number;
}

export interface RetrievalSummary extends RetrievalProgress {
  readonly isWhole: boolean;
}

/** A row for each hit, `meta` as JSON; a query without any has one row with nulls, and `error` where it could not be answered. */
export const RESULT_COLUMNS = {
  query_id: 'STRING',
  query_source: 'STRING',
  query: 'STRING',
  rank: 'INT32',
  id: 'STRING',
  source: 'STRING',
  score: 'DOUBLE',
  meta: 'STRING',
  error: 'STRING',
} as const satisfies Columns;

/** Of what was read again: the probability is null where a picture could not be. */
const REREAD_COLUMNS = { ...RESULT_COLUMNS, cosine: 'DOUBLE', match: 'DOUBLE' } as const satisfies Columns;

/** Queries scored in one call, and rows that a crash can cost. */
const QUERIES_AT_ONCE = 256;
const PART_ROWS = 16_384;

/**
 * Answers every query of a stream, and writes the hits to a Parquet file. A run that was stopped or killed goes on
 * where it was. Throws RESULTS_CONFLICT, RESULTS_UNWRITABLE, and what scoring and reading the store throw.
 */
export async function retrieve(retrieval: Retrieval): Promise<RetrievalSummary> {
  const { queries, out, asked, signal, onStart, rereading } = retrieval;
  const columns = rereading ? REREAD_COLUMNS : RESULT_COLUMNS;
  const parts = await ResultParts.open(out, columns, ['query_id', 'query_source'], asked);
  const counts = { answered: 0, skipped: 0, failed: 0, hits: 0 };
  onStart?.(() => ({ ...counts }));
  let rows: Row[] = [];
  for await (const some of inBatches(queries, QUERIES_AT_ONCE)) {
    if (signal.aborted) break;
    const fresh = some.filter(({ id, source }) => !parts.has(id, source));
    counts.skipped += some.length - fresh.length;
    const answered = await answer(retrieval, fresh).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      throw error;
    });
    if (!answered) break;
    for (const one of answered) {
      const { hits } = one;
      for (const row of toRows(one)) rows.push(rereading ? row : withoutReread(row));
      if (hits) counts.answered += 1;
      else counts.failed += 1;
      counts.hits += hits?.length ?? 0;
    }
    if (rows.length < PART_ROWS) continue;
    await parts.write(rows);
    rows = [];
  }
  await parts.write(rows);
  if (!signal.aborted) await parts.finish();
  return { ...counts, isWhole: !signal.aborted };
}

interface Answered {
  readonly query: RetrievalQuery;
  /** Undefined where it could not be answered. */
  readonly hits: readonly FoundRow[] | undefined;
  readonly error?: ErrorData;
}

interface FoundRow extends Omit<Found, 'address'> {
  /** As JSON; null where the row has gone since. */
  readonly meta: string | null;
  readonly cosine: number;
  readonly match: number | null;
}

async function answer(
  { nearestIds, rows, k, where, signal, rereading, minScore = Number.NEGATIVE_INFINITY }: Retrieval,
  queries: readonly RetrievalQuery[],
): Promise<Answered[]> {
  const usable = queries.flatMap(({ vector }) => (vector instanceof Float32Array ? [vector] : []));
  const width = usable[0]?.length ?? 0;
  const vectors = new Float32Array(usable.length * width);
  usable.forEach((vector, i) => {
    vectors.set(vector, i * width);
  });
  const nearest =
    usable.length > 0 ? await nearestIds(vectors, { k: rereading?.first ?? k, where, signal }) : [];
  const stored = await rows.rowsAt([...new Set(nearest.flat().map(({ address }) => address))]);
  const found = nearest.values();
  const answered: Answered[] = [];
  for (const query of queries) {
    if (!(query.vector instanceof Float32Array)) {
      answered.push({ query, hits: undefined, error: query.vector });
      continue;
    }
    const hits = (found.next().value ?? []).filter(({ score }) => score >= minScore);
    answered.push(
      rereading
        ? await answerAgain(rereading, query, hits, stored, { k, signal })
        : { query, hits: hits.map((hit) => toFound(hit, stored.get(hit.address))) },
    );
  }
  return answered;
}

function toFound({ id, score }: Found, row: ImageRecord | CaptionRecord | undefined): FoundRow {
  return { id, score, cosine: score, match: null, meta: row ? JSON.stringify(row.meta) : null };
}

/** A query whose picture cannot be read, or that rows cannot be read with, is not answered, and says why. */
async function answerAgain(
  rereading: Rereading,
  query: RetrievalQuery,
  hits: readonly Found[],
  stored: ReadonlyMap<bigint, ImageRecord | CaptionRecord>,
  { k, signal }: { readonly k: number; readonly signal: AbortSignal },
): Promise<Answered> {
  if (!query.subject) throw new Error(`Query "${query.id}" has a vector and no subject: this is a bug`);
  // What has gone since it was found cannot be read.
  const candidates = hits.flatMap(({ address, score: cosine }) => {
    const row = stored.get(address);
    return row ? [{ row, cosine }] : [];
  });
  try {
    const ranked = await reread(rereading, query.subject, candidates, signal);
    const found = ranked.slice(0, k).map(({ row, id, source, score, cosine, match }) => ({
      ...{ id: toPlaceText({ id, source }), score, cosine, match },
      meta: JSON.stringify(row.meta),
    }));
    return { query, hits: found };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof VlmoError)) throw error;
    return { query, hits: undefined, error: toErrorData(error, error.code) };
  }
}

function toRows({ query: { id: query_id, source: query_source, query }, hits, error }: Answered): Row[] {
  const asked = { query_id, query_source, query };
  const none = { ...asked, rank: null, id: null, source: null, score: null, meta: null };
  const unread = { cosine: null, match: null };
  if (!hits) return [{ ...none, ...unread, error: error ? describe(error) : null }];
  if (hits.length === 0) return [{ ...none, ...unread, error: null }];
  return hits.map(({ id, score, cosine, match, meta }, i) => ({
    ...{ ...asked, rank: i + 1, ...parsePlaceText(id), score, meta },
    ...{ error: null, cosine, match },
  }));
}

function withoutReread({ cosine, match, ...row }: Row): Row {
  return row;
}

function describe({ code, message }: ErrorData): string {
  return `${message} [${code}]`;
}

/** The same stream in arrays of `size`, the last one shorter. */
async function* inBatches<T>(stream: AsyncIterable<readonly T[]>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const some of stream) {
    for (const value of some) {
      batch.push(value);
      if (batch.length < size) continue;
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
