import { chunks } from '#batches.ts';
import type { GenerationTables, ItemRow, RowKey, Store, VectorTable } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import type { Reading } from './other-runs.ts';
import { generationsOf } from './remove-items.ts';

export interface GoneCounts {
  readonly images: number;
  readonly captions: number;
}

/** Tells of a row, or of what is listed as failed, of the source that is read. */
type IsGone = (row: RowKey) => boolean;

const BATCH = 1024;

/** How many items of a source are gone, each counted once: by the first generation that has it. */
export async function countGone(store: Store, { collection, source }: Reading, isGone: IsGone) {
  const generations = await generationsOf(store, collection);
  return {
    images: await countIn(tablesOf(generations, 'images'), source, isGone),
    captions: await countIn(tablesOf(generations, 'captions'), source, isGone),
  } satisfies GoneCounts;
}

/**
 * Takes them out of all generations, of that which serves last: so the next pass goes on where one was killed. What another
 * run writes meanwhile stays. Returns how many failures of the source went.
 */
export async function takeOut(
  store: Store,
  { collection, source }: Reading,
  isGone: IsGone,
): Promise<number> {
  const generations = (await generationsOf(store, collection)).toReversed();
  for (const kind of ['captions', 'images'] as const)
    for (const table of tablesOf(generations, kind)) {
      let taken = 0;
      for await (const rows of goneRows(table, source, isGone)) {
        await table.deleteUnchanged(rows);
        taken += rows.length;
      }
      if (taken > 0) await table.optimize();
    }
  let failures = 0;
  for await (const some of chunks(store.failures.scan(collection), BATCH)) {
    const theirs = some.filter((failure) => failure.source === source && isGone(failure));
    if (theirs.length > 0) await store.failures.delete(theirs);
    failures += theirs.length;
  }
  return failures;
}

type KeyTable = Pick<VectorTable<ItemRow>, 'scanKeys' | 'find' | 'deleteUnchanged' | 'optimize'>;

function tablesOf(generations: readonly GenerationTables[], kind: 'images' | 'captions'): KeyTable[] {
  return generations.map((tables) => tables[kind]);
}

async function countIn(tables: readonly KeyTable[], source: string, isGone: IsGone): Promise<number> {
  let count = 0;
  for (const [place, table] of tables.entries()) {
    for await (let gone of goneRows(table, source, isGone)) {
      for (const earlier of tables.slice(0, place)) {
        const known = await earlier.find(gone.map(({ key }) => key));
        gone = gone.filter(({ key }) => !known.has(key));
      }
      count += gone.length;
    }
  }
  return count;
}

async function* goneRows(table: KeyTable, source: string, isGone: IsGone): AsyncGenerator<readonly RowKey[]> {
  for await (const rows of table.scanKeys(anyOf('source', [source]))) {
    const gone = rows.filter(isGone);
    if (gone.length > 0) yield gone;
  }
}
