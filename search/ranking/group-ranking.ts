import { pictureKey } from '#store/item-key.ts';
import type { Ranked, Ranking } from './ranking.ts';

/**
 * The best row of each group, in the order of those rows: k groups whenever there are k. It asks for more rows until
 * they are of enough groups.
 */
export function groupRanking(ranking: Ranking): Ranking {
  return async (k) => {
    for (let asked = 2 * k; ; asked *= 4) {
      const found = await ranking(asked);
      const best = new Map<string, Ranked>();
      for (const row of found) {
        const key = groupKey(row);
        if (!best.has(key)) best.set(key, row);
      }
      if (best.size >= k || found.length < asked) return [...best.values()].slice(0, k);
    }
  };
}

/** The key of what a row shows: its picture, or the caption itself where it is of none. */
export function groupKey({ key, row }: Ranked): string {
  return ('imageId' in row ? pictureKey(row) : null) ?? key;
}
