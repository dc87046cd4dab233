import type { Filter, GenerationTables, ItemKind } from '#store/contract.ts';
import { type Cursor, markOf } from '../cursor.ts';
import type { SearchOrder } from '../request.ts';
import { approximateScorer } from './approximate-ranking.ts';
import { atLeast, exactRanking, type RowScorer, stoppable } from './exact-ranking.ts';
import { groupKey, groupRanking } from './group-ranking.ts';
import { hybridRanking } from './hybrid-ranking.ts';
import { findKeywords, keywordsOf } from './keywords.ts';
import { afterPosition, type Position } from './page.ts';
import { byScore, type Ranked, type Ranking } from './ranking.ts';

/** What a search works with, where it is not the tables themselves. */
export interface SearchDeps {
  /** What compares vectors, for images and for captions. */
  readonly scorers?: { readonly images: RowScorer; readonly captions: RowScorer } | undefined;
  /** The first rows of an order, as the cross-encoder orders them; needed where `rerank` is asked. */
  readonly rerank?: ((ranking: Ranking, first: number, minMatch?: number) => Ranking) | undefined;
  /** Fingerprint of the cross-encoder, where it is not the model that made the vectors. */
  readonly rerankedBy?: string | undefined;
  /** Whether a query may be embedded in one run with others, which its vector then shows in its last digits. */
  readonly sharesRuns?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ArrangeTask {
  readonly tables: GenerationTables;
  readonly kind: ItemKind;
  readonly query: Float32Array;
  readonly where: Filter | undefined;
  readonly request: SearchOrder;
  readonly from: Cursor | undefined;
}

export interface Arranged {
  /** What comes behind the cursor. */
  readonly ranking: Ranking;
  readonly isApproximate: boolean;
  /** For the next cursor. */
  readonly weights: readonly number[] | undefined;
  readonly pool: Position | undefined;
  /** What the next page must not show again, where the position of a row does not tell. */
  readonly shown: ((row: Ranked) => string) | undefined;
}

/**
 * Puts the rankings of a search around each other:
 *
 *     cosine, with or without keywords ── behind the cursor ── best of each picture
 *     cosine, with or without keywords ── best of each picture ── first N, read again ── those not shown yet
 */
export async function buildRanking(task: ArrangeTask, means: SearchDeps): Promise<Arranged> {
  const { from, kind, request } = task;
  const { ranking, ...basic } = await basicRanking(task, means);
  const isGrouped = request.groupBy !== undefined && kind === 'caption';
  const grouped = (order: Ranking): Ranking => (isGrouped ? groupRanking(order) : order);
  const shown = isGrouped ? groupMark : request.rerank === undefined ? undefined : rowMark;
  const isShown = shownBefore(from, shown);
  if (request.rerank === undefined) {
    const rest = from ? afterPosition(ranking, from.position, from.before, isShown) : ranking;
    return { ...basic, ranking: grouped(rest), pool: undefined, shown };
  }
  if (!means.rerank) throw new Error('A search was to be re-ranked without an encoder: this is a bug');
  const rows = await firstRows(grouped(ranking), request.rerank, from?.pool);
  const reread = means.rerank(async (k) => rows.slice(0, k), rows.length, request.minMatch);
  // Not by position: the encoder's values differ in the last digits with what is read beside a row.
  const rest: Ranking = async (k) => (await reread(rows.length)).filter((row) => !isShown(row)).slice(0, k);
  return { ...basic, ranking: rest, pool: from?.pool ?? rows.at(-1), shown };
}

type Basic = Omit<Arranged, 'pool' | 'shown'>;

async function basicRanking(
  { tables, kind, query, where, request, from }: ArrangeTask,
  means: SearchDeps,
): Promise<Basic> {
  const isApproximate = request.approximate === true;
  const all: RowScorer = isApproximate
    ? await approximateScorer(tables, request.in)
    : (means.scorers ?? tables)[request.in];
  const told = means.signal ? stoppable(all, means.signal) : all;
  const scorer = request.minScore === undefined ? told : atLeast(told, request.minScore);
  if (request.keywords === undefined) {
    return { ranking: exactRanking(scorer, kind, query, where), isApproximate, weights: undefined };
  }
  const words = keywordsOf(request.keywords);
  const { shares, weights } = await findKeywords(tables.captions, kind, words, from?.weights);
  return { ranking: hybridRanking(scorer, kind, query, where, shares), isApproximate, weights };
}

function groupMark(row: Ranked): string {
  return markOf(groupKey(row));
}

function rowMark({ key }: Ranked): string {
  return markOf(key);
}

function shownBefore(
  from: Cursor | undefined,
  mark: ((row: Ranked) => string) | undefined,
): (row: Ranked) => boolean {
  const shown = new Set(from?.shown);
  return (row) => mark !== undefined && shown.size > 0 && shown.has(mark(row));
}

/**
 * The first rows of an order; on later pages, up to the last of those that the first page had, so that none is lost
 * when others were written before them, up to twice as many.
 */
async function firstRows(
  ranking: Ranking,
  count: number,
  last: Position | undefined,
): Promise<readonly Ranked[]> {
  if (!last) return ranking(count);
  const rows = await ranking(2 * count);
  return rows.filter((row) => byScore(row, last) <= 0);
}
