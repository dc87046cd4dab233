import { cut } from '#batches.ts';
import type { CaptionRecord, Filter, ImageRecord, ItemKind, Neighbour } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import type { RowScorer } from './exact-ranking.ts';
import { byScore, type Ranked, type Ranking, toRanked } from './ranking.ts';

/**
 * How much a row that holds all keywords is ahead of one that holds none, in cosine. Scores are fused, not ranks: a
 * rank changes with every row that is written before it, so that pages would overlap, and throws away by how much one
 * row is better than the next. That scores fused by a fixed sum also find better than reciprocal ranks is the result of
 * Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (2023); 0.5 is their 0.8 of cosine to 0.2
 * of keywords, when each runs over all that it can be: 0.8 * (1 + cosine) / 2 + 0.2 * share has the same order.
 */
const KEYWORD_WEIGHT = 0.5;
/** Rows fetched beyond k at first. */
const MARGIN = 64;
/** So many rows are looked up by their keys at once rather than met on the way down the order by cosine. */
const MAX_LOOKUP = 16_384;
const LOOKED_UP_AT_ONCE = 4096;

/**
 * The order by cosine + KEYWORD_WEIGHT * share of the keywords, exactly. A row that was not fetched has at most the
 * lowest cosine fetched, so of those that hold keywords only the ones that could still be among the first k are looked
 * up; where those are too many, more are fetched first.
 */
export function hybridRanking(
  scorer: RowScorer,
  kind: ItemKind,
  query: Float32Array,
  where: Filter | undefined,
  shares: ReadonlyMap<string, number>,
): Ranking {
  return async (k) => {
    for (let asked = k + MARGIN; ; asked *= 4) {
      const nearest = await scorer.nearest(query, { k: asked, where });
      const found = nearest.map(fuse);
      const isAll = nearest.length < asked;
      const missing = isAll ? [] : couldBelong(found, k, nearest.at(-1)?.score ?? 0);
      if (missing.length > Math.max(MAX_LOOKUP, asked)) continue;
      for (const keys of cut(missing, LOOKED_UP_AT_ONCE)) found.push(...(await lookUp(keys)));
      return found.sort(byScore).slice(0, k);
    }
  };

  function fuse({ row, score: cosine }: Neighbour<ImageRecord | CaptionRecord>): Ranked {
    const score = fused(cosine, shares.get(row.key) ?? 0);
    return toRanked(row, kind, cosine, score);
  }

  /** Keys of rows that hold keywords, were not fetched, and might be among the first k with a cosine of `most`. */
  function couldBelong(found: readonly Ranked[], k: number, most: number): string[] {
    const kth = found.map(({ score }) => score).sort((a, b) => b - a)[k - 1] ?? Number.NEGATIVE_INFINITY;
    const fetched = new Set(found.map(({ key }) => key));
    return Array.from(shares)
      .filter(([key, share]) => !fetched.has(key) && fused(most, share) >= kth)
      .map(([key]) => key);
  }

  async function lookUp(keys: readonly string[]): Promise<Ranked[]> {
    const these = anyOf('key', keys);
    const both: Filter = where ? { kind: 'and', parts: [where, these] } : these;
    return (await scorer.nearest(query, { k: keys.length, where: both })).map(fuse);
  }
}

function fused(cosine: number, share: number): number {
  return cosine + KEYWORD_WEIGHT * share;
}
