import type { Backend } from './backend.ts';
import { dot, dotHalves } from './dot.ts';
import { DoubtfulRows } from './doubtful-rows.ts';
import type { GrowingRows } from './growing-rows.ts';
import { kthLargest } from './kth-largest.ts';
import type { Candidates } from './protocol.ts';
import type { RowMask } from './row-mask.ts';

export interface Found {
  /** Id and source of the row, as `toPlaceText` gives them. */
  readonly id: string;
  /** The product of query and stored vector in float64. */
  readonly score: number;
}

type Part = RowMask['parts'][number];
type TailRow = ReturnType<GrowingRows['rows']> extends Iterable<infer Row> ? Row : never;

/** The part of rows that are in none. */
const TAIL = -1;

/**
 * The k best rows of a view for each query [Q, D], exactly as if each stored vector were multiplied in float64 and all
 * rows sorted by score, then id.
 *
 * A device's score is right up to an error `e` that it knows. k rows have at least the k-th largest of `score - e`; hence
 * every row of the answer has a `score + e` of at least that. Each device gives the rows of its segments that may be; those
 * that may still be when all are looked at together are scored again.
 */
export async function score(
  view: RowMask,
  tail: GrowingRows,
  queries: Float32Array,
  dimensions: number,
  k: number,
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
    return best(list, { parts, waiting }, query, k);
  });
}

function ask(
  backend: Backend,
  parts: readonly Part[],
  queries: Float32Array,
  k: number,
): Promise<Candidates> {
  const asked = parts.map(({ segment, bias }) => ({ segment: segment.number, bias }));
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
function best(list: DoubtfulRows, { parts, waiting }: Places, query: Float32Array, k: number): Found[] {
  list.tighten();
  const count = list.length;
  const products = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const part = parts[list.part(i)];
    products[i] = part
      ? dotHalves(query, part.segment.halves, list.row(i) * query.length)
      : dot(query, (waiting[list.row(i)] as TailRow).values);
  }
  const least = count > k ? kthLargest(products.slice(), count, k) : Number.NEGATIVE_INFINITY;
  const found: Found[] = [];
  products.forEach((score, i) => {
    if (score < least) return;
    const part = parts[list.part(i)];
    const id = part ? part.segment.ids.at(list.row(i)) : (waiting[list.row(i)] as TailRow).id;
    found.push({ id, score });
  });
  return found.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, k);
}
