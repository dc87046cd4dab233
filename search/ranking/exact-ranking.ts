import type {
  CaptionRecord,
  Filter,
  ImageRecord,
  ItemKind,
  NearestOptions,
  Neighbour,
} from '#store/contract.ts';
import { type Ranking, toRanked } from './ranking.ts';

/** What finds the rows of largest cosine: a table of the store, or its vectors on a device. */
export interface Scorer<Row> {
  /** The k rows of largest cosine, exact, best first, ties by id, then source; k of them whenever k match. */
  nearest(query: Float32Array, options: NearestOptions): Promise<readonly Neighbour<Row>[]>;
}

/** Of either kind of row; what is found is what the kind says. */
export type RowScorer = Scorer<ImageRecord | CaptionRecord>;

/** The order by cosine of all rows that a filter lets through. */
export function exactRanking(
  scorer: RowScorer,
  kind: ItemKind,
  query: Float32Array,
  where: Filter | undefined,
): Ranking {
  return async (k) => {
    const found = await scorer.nearest(query, { k, where });
    return found.map(({ row, score }) => toRanked(row, kind, score));
  };
}

/** A scorer for which rows below a cosine are not there. */
export function atLeast(scorer: RowScorer, cosine: number): RowScorer {
  return {
    async nearest(query, options) {
      const found = await scorer.nearest(query, options);
      return found.filter(({ score }) => score >= cosine);
    },
  };
}

/** A scorer that is told to stop by a signal. */
export function stoppable(scorer: RowScorer, signal: AbortSignal): RowScorer {
  return {
    async nearest(query, options) {
      signal.throwIfAborted();
      return scorer.nearest(query, { ...options, signal });
    },
  };
}
