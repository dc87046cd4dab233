import type { CaptionRecord, ImageRecord, ItemKind } from '#store/contract.ts';

/** A row in the order of a search. */
export interface Ranked {
  readonly id: string;
  readonly kind: ItemKind;
  readonly row: ImageRecord | CaptionRecord;
  /** What the order is by; equal ones follow their ids. */
  readonly score: number;
  /** Cosine of query and row. */
  readonly cosine: number;
  /** Probability that query and row belong together, read by the fusion encoder; null where it was not asked. */
  readonly match: number | null;
}

/**
 * An order of all rows that a search may find, best first, ties by id. Asking for k gives its first k, fewer only where
 * there are no more; asking for more gives the same ones and then some. Searches are made of rankings put around each
 * other: exact, approximate or fused with keywords inside; grouped, paged or read again outside.
 */
export type Ranking = (k: number) => Promise<readonly Ranked[]>;

/** The order of a ranking. */
export function byScore(a: Pick<Ranked, 'score' | 'id'>, b: Pick<Ranked, 'score' | 'id'>): number {
  return b.score - a.score || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
