import { byScore, type Ranked, type Ranking } from './ranking.ts';

/** A place in an order by score, then id, then source: behind the row that has them, or had them when it was there. */
export type Position = Pick<Ranked, 'score' | 'id' | 'source'>;

/**
 * What comes behind a position, without the rows that `isShown` knows. Since a place is told by score, id and source, rows
 * written or deleted before it change nothing. `before` is about how many rows lie before it, so that one request does.
 */
export function afterPosition(
  ranking: Ranking,
  position: Position,
  before: number,
  isShown: (row: Ranked) => boolean = () => false,
): Ranking {
  return async (k) => {
    for (let asked = before + k; ; asked = 2 * asked + k) {
      const found = await ranking(asked);
      const behind = found.filter((row) => byScore(row, position) > 0 && !isShown(row));
      if (behind.length >= k || found.length < asked) return behind.slice(0, k);
    }
  };
}
