import type { CaptionRecord, ImageRecord, ItemKind, ItemRow } from '#store/contract.ts';
import { byPlace } from '#store/item-key.ts';

/** A row in the order of a search. */
export interface Ranked extends ItemRow {
  readonly kind: ItemKind;
  readonly row: ImageRecord | CaptionRecord;
  /** What the order is by; equal ones follow their ids, then their sources. */
  readonly score: number;
  /** Cosine of query and row. */
  readonly cosine: number;
  /** Probability that query and row belong together, read by the fusion encoder; null where it was not asked. */
  readonly match: number | null;
}

/**
 * An order of all rows that a search may find, best first, ties by id, then source. Asking for k gives its first k, fewer only where
 * there are no more; asking for more gives the same ones and then some. Searches are made of rankings put around each
 * other: exact, approximate or fused with keywords inside; grouped, paged or read again outside.
 */
export type Ranking = (k: number) => Promise<readonly Ranked[]>;

/** The order of a ranking. */
export function byScore(a: Scored, b: Scored): number {
  return b.score - a.score || byPlace(a, b);
}

type Scored = Pick<Ranked, 'score' | 'id' | 'source'>;

/** A row found, by its cosine and whatever the order is by. */
export function toRanked(row: Ranked['row'], kind: ItemKind, cosine: number, score = cosine): Ranked {
  const { key, id, source } = row;
  return { key, id, source, kind, row, score, cosine, match: null };
}
