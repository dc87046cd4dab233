import type { ItemKind } from '#store/contract.ts';

export type SearchTarget = 'images' | 'captions';

export interface SearchRequest {
  readonly in: SearchTarget;
  /** How many hits at most. */
  readonly k: number;
  /** A filter on columns and meta, applied before scoring. */
  readonly where?: string | undefined;
  /** Hits below this cosine are left out. */
  readonly minScore?: number | undefined;
  /** So many of the best are read again by the fusion encoder, and are all there is. */
  readonly rerank?: number | undefined;
  /** With `rerank`, hits below this probability are left out. */
  readonly minMatch?: number | undefined;
  /** The best hit of each picture only. */
  readonly groupBy?: 'image_id' | undefined;
  /** Words that rows are lifted for, where they or captions of the picture hold them. */
  readonly keywords?: string | undefined;
  /** Of an earlier answer to the same search: what comes behind it. */
  readonly cursor?: string | undefined;
  /** By the approximate index of the vectors, which may miss some. */
  readonly approximate?: boolean | undefined;
}

export interface Hit {
  /** From 1; on later pages it goes on. */
  readonly rank: number;
  readonly id: string;
  readonly kind: ItemKind;
  readonly uri: string;
  /** The caption found, or the first caption of the picture found; null where it has none. */
  readonly caption: string | null;
  /** The other columns of its source. */
  readonly meta: Readonly<Record<string, unknown>>;
  /** What the order is by: the cosine, or what keywords or the fusion encoder make of it. */
  readonly score: number;
  /** Cosine of query and hit. */
  readonly cosine: number;
  /** Probability that query and hit belong together; null where they were not read together. */
  readonly match: number | null;
}

export interface SearchAnswer {
  readonly hits: readonly Hit[];
  /** For the next page; null where there is none. */
  readonly cursor: string | null;
  /** Whether hits may be missing, because an index of vectors was asked. */
  readonly approximate: boolean;
}
