import type { VlmoError } from '#errors.ts';
import type { Item } from '#sources/item.ts';
import type { ReadingReport } from '#sources/reading-notes.ts';
import type { RowKey, Store } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import { countGone, type GoneCounts, takeOut } from './gone-items.ts';
import { MetItems } from './met-items.ts';
import { OtherRuns, type Reading } from './other-runs.ts';
import { pruneRefusal } from './prune-refusal.ts';
import { generationsOf } from './remove-items.ts';

/** Whether what a source no longer lists is taken out: `all` also where that is most of it. */
export type Prune = boolean | 'all';

/** What the index has of a source that a whole pass over it did not meet. */
export interface GoneItems extends GoneCounts {
  readonly isTakenOut: boolean;
  /** Failures that went with them. */
  readonly failures: number;
  /** The first folder or file that could not be read: what the source still lists is not known, and nothing is counted. */
  readonly unread: string | undefined;
  /** Id of a run that read the source at the same time, because of which nothing is taken out. */
  readonly reader: string | undefined;
  /** PRUNE_REFUSED: why nothing is taken out although that was asked. */
  readonly refused: VlmoError | undefined;
}

export interface GoneOptions {
  readonly prune: Prune;
  /** Counts only. */
  readonly isDry?: boolean;
  /** What the source says that it has passed over. */
  readonly reading: ReadingReport | undefined;
  readonly signal: AbortSignal;
}

/** A pass over a source, from before its first item to behind its last. */
export class Pass {
  readonly #store: Store;
  readonly #reading: Reading;
  readonly #met: MetItems;
  readonly #others: OtherRuns;
  readonly #held: number;

  private constructor(store: Store, reading: Reading, others: OtherRuns, held: number) {
    this.#store = store;
    this.#reading = reading;
    this.#met = new MetItems(reading.source);
    this.#others = others;
    this.#held = held;
  }

  static async begin(store: Store, reading: Reading): Promise<Pass> {
    const others = await OtherRuns.look(store, reading);
    return new Pass(store, reading, others, await countHeld(store, reading));
  }

  /** The items of the source as they come. Of one that is new there is nothing to keep: all that is stored of it was met. */
  watch(items: AsyncIterable<Item>): AsyncIterable<Item> {
    return this.#held === 0 ? items : this.#met.watch(items);
  }

  /**
   * What is gone, once the source was read to its end, and taken out where that is asked. What a run has written that had not
   * ended when the pass began, or began since, stays.
   */
  async end({ prune, isDry = false, reading, signal }: GoneOptions): Promise<GoneItems> {
    const held = this.#held;
    const { seen, rows } = this.#met;
    const met = { seen, rows, unread: this.#met.unread ?? reading?.leftOut.unreadable?.first[0] };
    const none = { images: 0, captions: 0, isTakenOut: false, failures: 0 };
    const found = { ...none, unread: met.unread, reader: undefined, refused: undefined };
    if (held === 0) return found;
    const since = await this.#others.since();
    const isGone = ({ key, run }: RowKey): boolean => !this.#met.has(key) && !since.has(run);
    const counts = met.unread === undefined ? await countGone(this.#store, this.#reading, isGone) : none;
    const gone = counts.images + counts.captions;
    if (prune === false) return { ...found, ...counts };
    const refused = pruneRefusal(this.#reading.source, met, held, gone, prune === 'all');
    const reader = refused || gone === 0 ? undefined : await this.#others.reader(signal);
    if (refused || reader || isDry || signal.aborted)
      return { ...found, ...counts, refused, reader: reader?.id };
    const failures = await takeOut(this.#store, this.#reading, isGone);
    return { ...found, ...counts, failures, isTakenOut: true };
  }
}

/** Items of a source, by the generation that has most of them. */
async function countHeld(store: Store, { collection, source }: Reading): Promise<number> {
  const where = anyOf('source', [source]);
  let held = 0;
  for (const { images, captions } of await generationsOf(store, collection))
    held = Math.max(held, (await images.count(where)) + (await captions.count(where)));
  return held;
}
