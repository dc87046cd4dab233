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

export interface Planner {
  /** Looks up what the store knows of these items, a query a table. */
  plan(items: readonly Item[]): Promise<ChunkPlan>;
  /** Whether an item of this run had this failure when the run began. */
  hasMet(failure: FailureRecord): boolean;
  /** Whether the collection had failures when the run began. */
  readonly hadFailures: boolean;
}

/**
 * A planner for one run. Tables that were empty when the run began are not asked: a source gives each id once, so
 * nothing that this run writes comes up again in it.
 */
export async function createPlanner(
  store: Store,
  { record, images, captions }: GenerationTables,
): Promise<Planner> {
  const { collection } = record;
  const [hasImages, hasCaptions, hasFailures] = await Promise.all([
    images.count().then((count) => count > 0),
    captions.count().then((count) => count > 0),
    store.failures.count(collection).then((count) => count > 0),
  ]);
  const met = new Set<string>();
  const plan = async (items: readonly Item[]): Promise<ChunkPlan> => {
    const ids = (kind: Item['kind']): string[] =>
      items.filter((item) => item.kind === kind).map(({ id }) => id);
    const [storedImages, storedCaptions, failures] = await Promise.all([
      hasImages ? images.find(ids('image')) : new Map<string, ImageRecord>(),
      hasCaptions ? captions.find(ids('caption')) : new Map<string, CaptionRecord>(),
      hasFailures
        ? store.failures.find(
            collection,
            items.map(({ id }) => id),
          )
        : [],
    ]);
    const failed = new Map(failures.map((failure) => [keyOf(failure), failure]));
    const planned = {
      images: [] as PlannedImage[],
      captions: [] as PlannedCaption[],
      broken: [] as PlannedBroken[],
    };
    for (const item of items) {
      const failure = failed.get(keyOf(item));
      if (failure) met.add(keyOf(failure));
      if (item.kind === 'image') planned.images.push({ item, stored: storedImages.get(item.id), failure });
      else if (item.kind === 'caption')
        planned.captions.push({ item, stored: storedCaptions.get(item.id), failure });
      else planned.broken.push({ item, stored: undefined, failure });
    }
    return planned;
  };
  return { plan, hasMet: (failure) => met.has(keyOf(failure)), hadFailures: hasFailures };
}

/** Whether a stored row says of its item all that the source says now, its content aside. */
export function isSameRecord(item: ImageItem | CaptionItem, stored: ImageRecord | CaptionRecord): boolean {
  const sameImage = item.kind !== 'caption' || ('imageId' in stored && stored.imageId === item.imageId);
  return sameImage && stored.uri === item.uri && isDeepStrictEqual(stored.meta, item.meta);
}

function keyOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind} ${id}`;
}
