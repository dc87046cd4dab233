import type { Backend } from './backend.ts';
import { dot, dotHalves } from './dot.ts';
import { DoubtfulRows } from './doubtful-rows.ts';
import type { GrowingRows } from './growing-rows.ts';
import type { Candidates } from './protocol.ts';
import type { RowMask } from './row-mask.ts';

export interface Found {
  readonly address: bigint;
  /** Id and source of the row, as `toPlaceText` gives them. */
  readonly id: string;
  /** The product of query and stored vector in float64; summed up in any order where it need not be repeatable. */
  readonly score: number;
}

type Part = RowMask['parts'][number];
type TailRow = ReturnType<GrowingRows['rows']> extends Iterable<infer Row> ? Row : never;

/** Scores of a device that are this near to the product in float64 are taken as they are. */
const MAX_TRUSTED_ERROR = 2 ** -36;
/** The part of rows that are in none. */
const TAIL = -1;

/**
 * The k best rows of a view for each query [Q, D], exactly as if each stored vector were multiplied in float64 and all
 * rows sorted by score, then id.
 *
 * A device's score is right up to an error `e` that it knows. k rows have at least the k-th largest of `score - e`; hence
 * every row of the answer has a `score + e` of at least that. Each device gives the rows of its segments that may be; those
 * that may still be when all are looked at together are scored again. `isRepeatable`: to the last bit, whatever is asked
 * beside it, for whoever goes on from one search to the next by its scores.
 */
export async function score(
  view: RowMask,
  tail: GrowingRows,
  queries: Float32Array,
  dimensions: number,
  k: number,
  { isRepeatable = false }: { readonly isRepeatable?: boolean } = {},
): Promise<Found[][]> {
  const groups = [...Map.groupBy(view.parts, ({ segment }) => segment.backend)];
  const answers = await Promise.all(groups.map(([backend, parts]) => ask(backend, parts, queries, k)));
  const parts = groups.flatMap(([, some]) => some);
  const waiting = [...tail.rows(view.tail)];
  return Array.from({ length: queries.length / dimensions }, (_, q) => {
    const query = queries.subarray(q * dimensions, (q + 1) * dimensions);
    const list = new DoubtfulRows(k);
    waiting.forEach(({ values }, row) => {
      list.push(TAIL, row, dot(query, values), 0);
    });
    let first = 0;
    answers.forEach((answer, group) => {
      pushAll(list, answer, q, first);
      first += groups[group]?.[1].length ?? 0;
    });
    return best(list, { parts, waiting }, query, k, isRepeatable);
  });
}

function ask(
  backend: Backend,
  parts: readonly Part[],
  queries: Float32Array,
  k: number,
): Promise<Candidates> {
  const asked = parts.map(({ segment, hidden }) => ({ segment: segment.number, hidden }));
  return backend.score({ parts: asked, queries, k });
}

/** The candidates of one query; `first` is the number of their backend's first part among all. */
function pushAll(
  list: DoubtfulRows,
  { ends, parts, rows, values, errors }: Candidates,
  q: number,
  first: number,
): void {
  for (let i = q === 0 ? 0 : (ends[q - 1] as number); i < (ends[q] as number); i++)
    list.push(first + (parts[i] as number), rows[i] as number, values[i] as number, errors[i] as number);
}

interface Places {
  readonly parts: readonly Part[];
  readonly waiting: readonly TailRow[];
}

/** The k best of the rows in doubt. */
function best(
  list: DoubtfulRows,
  places: Places,
  query: Float32Array,
  k: number,
  isRepeatable: boolean,
): Found[] {
  list.tighten();
  const product = (at: number): number => productOf(list, at, places, query);
  const rows = Array.from({ length: list.length }, (_, at) => {
    const error = list.error(at);
    return { at, error, score: isRepeatable || error > MAX_TRUSTED_ERROR ? product(at) : list.value(at) };
  });
  rows.sort((a, b) => b.score - a.score);
  settle(rows, product);
  const least = rows.length > k ? rows.map(({ score }) => score).sort((a, b) => b - a)[k - 1] : undefined;
  return rows
    .filter(({ score }) => least === undefined || score >= least)
    .map(({ at, score }) => ({ ...rowOf(list, at, places), score }))
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
    .slice(0, k);
}

interface Scored {
  readonly at: number;
  readonly error: number;
  score: number;
}

/** Scores again, one value after the other, what lies too near to its neighbour for the order to be sure. */
function settle(rows: readonly Scored[], product: (at: number) => number): void {
  const doubtful = new Set<Scored>();
  rows.forEach((row, i) => {
    const next = rows[i + 1];
    if (next && row.score - next.score <= row.error + next.error) doubtful.add(row).add(next);
  });
  for (const row of doubtful) row.score = product(row.at);
}

function productOf(list: DoubtfulRows, at: number, { parts, waiting }: Places, query: Float32Array): number {
  const part = parts[list.part(at)];
  return part
    ? dotHalves(query, part.segment.halves, list.row(at) * query.length)
    : dot(query, (waiting[list.row(at)] as TailRow).values);
}

function rowOf(list: DoubtfulRows, at: number, { parts, waiting }: Places): Omit<Found, 'score'> {
  const [part, row] = [parts[list.part(at)], list.row(at)];
  if (part) return { address: part.segment.addresses[row] as bigint, id: part.segment.ids.at(row) };
  const { address, id } = waiting[row] as TailRow;
  return { address, id };
}
