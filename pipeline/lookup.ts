import { isDeepStrictEqual } from 'node:util';
import type { BrokenItem, CaptionItem, ImageItem, Item } from '#sources/item.ts';
import type { CaptionRecord, FailureRecord, GenerationTables, ImageRecord, Store } from '#store/contract.ts';
import { placeCaptions } from './caption-pictures.ts';
import { type Named, named } from './named-item.ts';

/** What is known of an item before it is worked on. */
export interface Planned<I extends Item, Row> extends Named<I> {
  /** The row stored under its key. */
  readonly stored: Row | undefined;
  /** The failure recorded for it. */
  readonly failure: FailureRecord | undefined;
}

export type PlannedImage = Planned<ImageItem, ImageRecord>;
export interface PlannedCaption extends Planned<CaptionItem, CaptionRecord> {
  /** Source of its picture; null for a caption without one. */
  readonly imageSource: string | null;
}
export type PlannedBroken = Planned<BrokenItem, never>;

export interface ChunkPlan {
  readonly images: readonly PlannedImage[];
  readonly captions: readonly PlannedCaption[];
  readonly broken: readonly PlannedBroken[];
}

/**
 * Looks up what the store knows of these items of a source, a query a table. Throws STORE_VERSION_UNSUPPORTED,
 * STORE_READ_FAILED.
 */
export type Planner = (items: readonly Item[], source: string) => Promise<ChunkPlan>;

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
  return (items, source) => plan(store, tables, items, source, { hasImages, hasCaptions, hasFailures });
}

/** A planner for chunks that may come twice, and while other processes write: every table is asked. */
export function createChunkPlanner(store: Store, tables: GenerationTables): Planner {
  const all = { hasImages: true, hasCaptions: true, hasFailures: true };
  return (items, source) => plan(store, tables, items, source, all);
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
  defaultSource: string,
  { hasImages, hasCaptions, hasFailures }: Asked,
): Promise<ChunkPlan> {
  await store.requireFormat();
  const read = items.map((item) => named(item, item.source ?? defaultSource));
  const placed = await placeCaptions(read, hasImages ? images : undefined);
  const all = placed.map(({ named }) => named);
  const keys = (kind: Item['kind']): string[] =>
    all.filter(({ item }) => item.kind === kind).map(({ key }) => key);
  const [storedImages, storedCaptions, failures] = await Promise.all([
    hasImages ? images.find(keys('image')) : new Map<string, ImageRecord>(),
    hasCaptions ? captions.find(keys('caption')) : new Map<string, CaptionRecord>(),
    hasFailures
      ? store.failures.find(
          record.collection,
          all.map(({ key }) => key),
        )
      : [],
  ]);
  const failed = new Map(failures.map((failure) => [failure.key, failure]));
  const planned = {
    images: [] as PlannedImage[],
    captions: [] as PlannedCaption[],
    broken: [] as PlannedBroken[],
  };
  for (const { named, imageSource } of placed) {
    const { item, source, key } = named;
    const known = { source, key, failure: failed.get(key) };
    if (item.kind === 'image') planned.images.push({ item, ...known, stored: storedImages.get(key) });
    else if (item.kind === 'caption')
      planned.captions.push({ item, imageSource, ...known, stored: storedCaptions.get(key) });
    else planned.broken.push({ item, ...known, stored: undefined });
  }
  return planned;
}

/** Whether a stored row says of its picture all that the source says now, its content aside. */
export function isSamePicture({ item }: PlannedImage, stored: ImageRecord): boolean {
  return isSameRecord(item, stored);
}

/** As `isSamePicture`, of a caption. */
export function isSameCaption({ item, imageSource }: PlannedCaption, stored: CaptionRecord): boolean {
  const isSameImage = stored.imageId === item.imageId && stored.imageSource === imageSource;
  return isSameImage && isSameRecord(item, stored);
}

function isSameRecord(item: ImageItem | CaptionItem, stored: ImageRecord | CaptionRecord): boolean {
  return stored.uri === item.uri && isDeepStrictEqual(stored.meta, item.meta);
}
