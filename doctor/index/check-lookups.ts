import type { CaptionRecord, CaptionTable, GenerationTables, Store, VectorTable } from '#store/contract.ts';
import { wordsOf } from '#store/words.ts';
import type { Finding } from '../finding.ts';

/** Rows of a table that are looked for. */
const SAMPLE = 32;
/** A row that is found nearest to a vector may be another one with the same. */
const SAME = 0.995;
/** Shorter ones may be words that no index holds, such as "the". */
const WORD_LETTERS = 6;

/**
 * Looks for some of the rows by their keys, and by words and vectors where there are indexes of those: `textIndexed` are
 * the tables that have one. An index that misses rows says nothing otherwise.
 */
export async function checkLookups(
  index: string,
  store: Store,
  textIndexed: ReadonlySet<string>,
): Promise<Finding> {
  const wrong: string[] = [];
  let looked = 0;
  for (const record of await store.generations()) {
    const tables = await store.tables(record);
    for (const kind of ['images', 'captions'] as const) {
      const keys = await sampleOf(tables[kind]);
      looked += keys.length;
      const missed = [
        ['key', await missedByKey(tables[kind], keys)],
        ['vector', await missedByVector(tables[kind], keys)],
        ['words', await missedByWords(tables, kind, keys, textIndexed)],
      ] as const;
      for (const [how, count] of missed)
        if (count > 0)
          wrong.push(`${count} of ${keys.length} rows of "${record.name}.${kind}" are not found by ${how}`);
    }
  }
  const data = { looked, wrong };
  if (wrong.length === 0)
    return {
      name: 'lookups',
      state: 'ok',
      detail: `${looked} rows are found by key, words and vector`,
      data,
    };
  const way = `bring the indexes up to date: vlmo optimize --index ${index} (--ann builds that of vectors again)`;
  return { name: 'lookups', state: 'broken', detail: `${wrong.join('; ')}; ${way}`, data };
}

type Table = Pick<VectorTable<CaptionRecord>, 'count' | 'scanKeys' | 'findVectors' | 'vectorIndex'> & {
  find(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>>;
  nearestApproximate(
    query: Float32Array,
    options: { readonly k: number },
  ): Promise<readonly { score: number }[]>;
};

async function sampleOf(table: Table): Promise<string[]> {
  const step = Math.max(1, Math.floor((await table.count()) / SAMPLE));
  const keys: string[] = [];
  let at = 0;
  for await (const rows of table.scanKeys())
    for (const { key } of rows) if (at++ % step === 0 && keys.length < SAMPLE) keys.push(key);
  return keys;
}

async function missedByKey(table: Table, keys: readonly string[]): Promise<number> {
  const found = await table.find(keys);
  return keys.filter((key) => !found.has(key)).length;
}

/** One may be missed: the index is approximate. */
async function missedByVector(table: Table, keys: readonly string[]): Promise<number> {
  if (!(await table.vectorIndex())) return 0;
  let missed = 0;
  for (const [, vector] of await table.findVectors(keys)) {
    const [best] = await table.nearestApproximate(vector, { k: 1 });
    if ((best?.score ?? 0) < SAME) missed += 1;
  }
  return missed > 1 ? missed : 0;
}

async function missedByWords(
  { record, captions }: GenerationTables,
  kind: 'images' | 'captions',
  keys: readonly string[],
  textIndexed: ReadonlySet<string>,
): Promise<number> {
  // Without an index, looking would make one.
  if (kind === 'images' || !textIndexed.has(`${record.name}.captions`)) return 0;
  let missed = 0;
  for (const [key, { caption }] of await captions.find(keys)) {
    const word = wordsOf(caption, 64).find(({ length }) => length >= WORD_LETTERS);
    if (word !== undefined && !(await isFound(captions, word, key))) missed += 1;
  }
  return missed;
}

async function isFound(captions: CaptionTable, word: string, key: string): Promise<boolean> {
  for await (const caption of captions.matching(word)) if (caption.key === key) return true;
  return false;
}
