import type { CrossEncoder } from '#model/cross-encoder.ts';
import type { ItemKind } from '#store/contract.ts';
import { type Ranked, toRanked } from '../ranking/ranking.ts';
import type { MatchSubject } from '../rerank/match-subject.ts';
import { rerank } from '../rerank/rerank.ts';

export interface Rereading {
  readonly crossEncoder: CrossEncoder;
  /** So many of the best of each query are read again, and are all there is. */
  readonly first: number;
  /** What is found. */
  readonly target: ItemKind;
}

/** A row that was found, and its cosine with the query. */
export interface FoundCandidate {
  readonly row: Ranked['row'];
  readonly cosine: number;
}

/**
 * What was found for one query, read again together with it: in the order of a re-ranked search. Throws what reading the
 * query's own picture throws, and USAGE_INVALID for a query that rows cannot be read with.
 */
export function reread(
  { crossEncoder, first, target }: Rereading,
  subject: MatchSubject,
  candidates: readonly FoundCandidate[],
  signal: AbortSignal,
): Promise<readonly Ranked[]> {
  const rows = candidates.map(({ row, cosine }) => toRanked(row, target, cosine));
  return rerank(async () => rows, { crossEncoder, subject, first, signal })(first);
}
