import type { CaptionTable, ItemKind } from '#store/contract.ts';
import { pictureKey } from '#store/item-key.ts';
import { wordsOf } from '#store/words.ts';

/** What rows get for the words they hold. */
export interface Keywords {
  /** Of each word in turn, what a row gets that holds it; all of them together are 1, or 0 where no row holds any. */
  readonly weights: readonly number[];
  /** By key, the sum over the words that a row holds, above 0. A picture holds what its captions hold. */
  readonly shares: ReadonlyMap<string, number>;
}

/** More words than this are passed over: each is looked up by itself. */
const MAX_WORDS = 64;

/** The words of what somebody looks for, each once. */
export function keywordsOf(text: string): string[] {
  return wordsOf(text, MAX_WORDS);
}

/**
 * Finds the rows that hold any of the words, and how much each word counts: the rarer, the more, by the formula of BM25.
 * How often a word stands in one caption and how long that is do not count: captions are too short to tell anything by
 * it. `weights` are those of an earlier search, to go on in the same order whatever was written since.
 */
export async function findKeywords(
  captions: CaptionTable,
  kind: ItemKind,
  words: readonly string[],
  weights?: readonly number[],
): Promise<Keywords> {
  const holders: ReadonlySet<string>[] = [];
  const counts: number[] = [];
  for (const word of words) {
    const keys = new Set<string>();
    let count = 0;
    for await (const caption of captions.matching(word)) {
      count += 1;
      const holder = kind === 'caption' ? caption.key : pictureKey(caption);
      if (holder !== null) keys.add(holder);
    }
    holders.push(keys);
    counts.push(count);
  }
  const used = weights ?? rarities(counts, words.length === 0 ? 0 : await captions.count());
  const shares = new Map<string, number>();
  for (const [i, keys] of holders.entries()) {
    const weight = used[i] ?? 0;
    if (weight > 0) for (const key of keys) shares.set(key, (shares.get(key) ?? 0) + weight);
  }
  return { weights: used, shares };
}

/** A word that no caption holds counts nothing: it says nothing about any of them. */
function rarities(counts: readonly number[], total: number): number[] {
  const raw = counts.map((count) =>
    count === 0 ? 0 : Math.log(1 + Math.max(0, total - count + 0.5) / (count + 0.5)),
  );
  const sum = raw.reduce((all, value) => all + value, 0);
  return raw.map((value) => (sum === 0 ? 0 : value / sum));
}
