import { chunks } from '#batches.ts';
import type {
  CaptionRecord,
  FailureRecord,
  Filter,
  GenerationTables,
  ItemRow,
  RowReader,
  Store,
  VectorTable,
} from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import { pictureKey } from '#store/item-key.ts';
import { failedCaptions } from './failed-captions.ts';

const BATCH = 1024;

/** The rows of a table that are meant. */
export type MeantRows = 'none' | 'all' | Filter;

/** What is to be taken out of a collection. */
export interface Removal {
  readonly collection: string;
  /** Their captions go with them, of whichever source. */
  readonly images: MeantRows;
  readonly captions: MeantRows;
  /** Which failures go beside those of the items. */
  readonly isListed: (failure: FailureRecord) => boolean;
  /** Counts only. */
  readonly isDry: boolean;
}

export interface RemovedCounts {
  readonly images: number;
  /** Captions that went with their pictures. */
  readonly captionsOfImages: number;
  /** All other captions. */
  readonly captions: number;
  /** Failures that are no longer listed. */
  readonly failures: number;
  /** Whether nothing is left to do: false where `signal` ended it between two batches. */
  readonly isWhole: boolean;
}

/**
 * Takes items out of all generations of a collection, with their failures. Each is judged by its row in the generation that
 * serves, or in the next one that has it; that row goes last, so that the same call goes on where one was killed.
 */
export async function removeItems(
  store: Store,
  { collection, images, captions, isListed, isDry }: Removal,
  signal?: AbortSignal,
): Promise<RemovedCounts> {
  const generations = await generationsOf(store, collection);
  const [imageTables, captionTables] = [
    generations.map((tables) => tables.images),
    generations.map((tables) => tables.captions),
  ];
  const counts = { images: 0, captionsOfImages: 0, captions: 0, failures: 0 };

  const failed =
    images === 'none' ? new Map<string, FailureRecord[]>() : await failedCaptions(store, collection);

  for await (const rows of meantRows(imageTables, images)) {
    if (signal?.aborted) return { ...counts, isWhole: false };
    const keys = rows.map(({ key }) => key);
    const theirs = await captionsOf(generations, keys);
    await forget([...keys, ...theirs]);
    const listed = keys.flatMap((key) => failed.get(key) ?? []);
    await unlist(listed.filter((failure) => !isListed(failure)));
    await remove(captionTables, theirs);
    await remove(imageTables, keys);
    counts.images += keys.length;
    counts.captionsOfImages += theirs.length;
  }
  for await (const rows of meantRows(captionTables, captions)) {
    if (signal?.aborted) return { ...counts, isWhole: false };
    const keys = isDry ? await withoutThoseOf(imageTables, images, rows) : rows.map(({ key }) => key);
    await forget(keys);
    await remove(captionTables, keys);
    counts.captions += keys.length;
  }
  for await (const listed of chunks(store.failures.scan(collection), BATCH)) {
    if (signal?.aborted) return { ...counts, isWhole: false };
    await unlist(listed.filter(isListed));
  }
  if (!isDry) await tidy();
  return { ...counts, isWhole: true };

  /** Failures that `isListed` names go at the end, and count there. */
  async function forget(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const listed = await store.failures.find(collection, keys);
    await unlist(listed.filter((failure) => !isListed(failure)));
  }

  async function unlist(failures: readonly FailureRecord[]): Promise<void> {
    counts.failures += failures.length;
    if (!isDry && failures.length > 0) await store.failures.delete(failures);
  }

  /** The generation that rows are judged by comes last. */
  async function remove<Row extends ItemRow>(
    tables: readonly VectorTable<Row>[],
    keys: readonly string[],
  ): Promise<void> {
    if (isDry || keys.length === 0) return;
    for (const table of tables.toReversed()) await table.delete(keys);
  }

  async function tidy(): Promise<void> {
    const tables = [
      ...(counts.images > 0 ? imageTables : []),
      ...(counts.captions + counts.captionsOfImages > 0 ? captionTables : []),
      ...(counts.failures > 0 ? [store.failures] : []),
    ];
    // What was taken out is gone; what is not compacted now is another time.
    for (const table of tables) if (!signal?.aborted) await table.optimize();
  }
}

/** The tables of all generations of a collection, those that serve first. */
export async function generationsOf(store: Store, collection: string): Promise<GenerationTables[]> {
  const serving = await store.activeGeneration(collection);
  const records = (await store.generations()).filter((record) => record.collection === collection);
  const rank = (name: string): number => (name === serving?.name ? 0 : 1);
  records.sort((a, b) => rank(a.name) - rank(b.name));
  return Promise.all(records.map((record) => store.tables(record)));
}

/** In batches, each item once: by the first of the tables that has it. */
async function* meantRows<Row extends ItemRow>(
  tables: readonly RowReader<Row>[],
  meant: MeantRows,
): AsyncGenerator<Row[]> {
  if (meant === 'none') return;
  for (const [place, table] of tables.entries()) {
    for await (const rows of chunks(table.scan(meant === 'all' ? undefined : meant), BATCH)) {
      const judged = new Set<string>();
      for (const earlier of tables.slice(0, place))
        for (const key of (await earlier.find(rows.map((row) => row.key))).keys()) judged.add(key);
      const own = rows.filter(({ key }) => !judged.has(key));
      if (own.length > 0) yield own;
    }
  }
}

async function captionsOf(
  generations: readonly GenerationTables[],
  imageKeys: readonly string[],
): Promise<string[]> {
  const keys = new Set<string>();
  for (const { captions } of generations)
    for await (const key of captions.keysOfImages(imageKeys)) keys.add(key);
  return [...keys];
}

/** What has not been counted with its picture: in a dry run that is still there. */
async function withoutThoseOf(
  tables: readonly RowReader<ItemRow>[],
  images: MeantRows,
  captions: readonly CaptionRecord[],
): Promise<string[]> {
  const pictures = new Set(captions.map(pictureKey).filter((key) => key !== null));
  const going = new Set<string>();
  for await (const rows of meantRows(tables, narrowed(images, [...pictures])))
    for (const { key } of rows) going.add(key);
  return captions.filter((row) => !going.has(pictureKey(row) ?? '')).map(({ key }) => key);
}

function narrowed(meant: MeantRows, keys: readonly string[]): MeantRows {
  if (meant === 'none' || keys.length === 0) return 'none';
  const some = anyOf('key', keys);
  return meant === 'all' ? some : { kind: 'and', parts: [meant, some] };
}
