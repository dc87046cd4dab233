import { isDeepStrictEqual } from 'node:util';
import type { BrokenItem, CaptionItem, ImageItem, Item } from '#sources/item.ts';
import type { CaptionRecord, FailureRecord, GenerationTables, ImageRecord, Store } from '#store/contract.ts';

/** What is known of an item before it is worked on. */
export interface Planned<I, Row> {
  readonly item: I;
  /** The row stored under its id. */
  readonly stored: Row | undefined;
  /** The failure recorded for it. */
  readonly failure: FailureRecord | undefined;
}

export type PlannedImage = Planned<ImageItem, ImageRecord>;
export type PlannedCaption = Planned<CaptionItem, CaptionRecord>;
export type PlannedBroken = Planned<BrokenItem, never>;

export interface ChunkPlan {
  readonly images: readonly PlannedImage[];
  readonly captions: readonly PlannedCaption[];
  readonly broken: readonly PlannedBroken[];
}

/** Looks up what the store knows of these items, a query a table. Throws STORE_VERSION_UNSUPPORTED, STORE_READ_FAILED. */
export type Planner = (items: readonly Item[]) => Promise<ChunkPlan>;

/**
 * A planner for a run over a whole source. Tables that were empty when the run began are not asked: a source gives
 * each id once, so nothing that this run writes comes up again in it.
 */
export async function createPlanner(store: Store, tables: GenerationTables): Promise<Planner> {
  const [hasImages, hasCaptions, hasFailures] = await Promise.all([
    tables.images.count().then((count) => count > 0),
    tables.captions.count().then((count) => count > 0),
    store.failures.count(tables.record.collection).then((count) => count > 0),
  ]);
  return (items) => plan(store, tables, items, { hasImages, hasCaptions, hasFailures });
}

/** A planner for chunks that may come twice, and while other processes write: every table is asked. */
export function createChunkPlanner(store: Store, tables: GenerationTables): Planner {
  return (items) => plan(store, tables, items, { hasImages: true, hasCaptions: true, hasFailures: true });
}

interface Asked {
  readonly hasImages: boolean;
  readonly hasCaptions: boolean;
  readonly hasFailures: boolean;
}

async function plan(
  store: Store,
  { record, images, captions }: GenerationTables,
  items: readonly Item[],
  { hasImages, hasCaptions, hasFailures }: Asked,
): Promise<ChunkPlan> {
  await store.requireFormat();
  const ids = (kind: Item['kind']): string[] =>
    items.filter((item) => item.kind === kind).map(({ id }) => id);
  const all = items.map(({ id }) => id);
  const [storedImages, storedCaptions, failures] = await Promise.all([
    hasImages ? images.find(ids('image')) : new Map<string, ImageRecord>(),
    hasCaptions ? captions.find(ids('caption')) : new Map<string, CaptionRecord>(),
    hasFailures ? store.failures.find(record.collection, all) : [],
  ]);
  const failed = new Map(failures.map((failure) => [keyOf(failure), failure]));
  const planned = {
    images: [] as PlannedImage[],
    captions: [] as PlannedCaption[],
    broken: [] as PlannedBroken[],
  };
  for (const item of items) {
    const failure = failed.get(keyOf(item));
    if (item.kind === 'image') planned.images.push({ item, stored: storedImages.get(item.id), failure });
    else if (item.kind === 'caption')
      planned.captions.push({ item, stored: storedCaptions.get(item.id), failure });
    else planned.broken.push({ item, stored: undefined, failure });
  }
  return planned;
}

/** Whether a stored row says of its item all that the source says now, its content aside. */
export function isSameRecord(item: ImageItem | CaptionItem, stored: ImageRecord | CaptionRecord): boolean {
  const sameImage = item.kind !== 'caption' || ('imageId' in stored && stored.imageId === item.imageId);
  return sameImage && stored.uri === item.uri && isDeepStrictEqual(stored.meta, item.meta);
}

/** An id may be that of a picture, a caption and a broken row at once. */
export function keyOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind} ${id}`;
}
