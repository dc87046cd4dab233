import type { Item } from '#sources/item.ts';
import type { KindCounts, SeenCount } from '#store/kind-counts.ts';

/** How far a run is. Every item seen ends as stored, skipped or failed. */
export interface Progress {
  readonly seen: number;
  /** Written in this run. */
  readonly stored: number;
  /** Stored before with the same content. */
  readonly skipped: number;
  /** Listed as failed, the known failures among them. */
  readonly failed: number;
  /** Failures of earlier runs that were not tried again. */
  readonly knownFailures: number;
  /** The same of pictures and captions apart. */
  readonly kinds: KindCounts<SeenCount>;
  /** Items finished a second, over the last ten seconds. */
  readonly rate: number;
  /** Part done, 0 to 1; undefined while the size of the source is not known. */
  readonly fraction: number | undefined;
  readonly secondsLeft: number | undefined;
}

/** What can become of an item. */
export type Count = 'seen' | 'stored' | 'skipped' | 'failed' | 'knownFailures';

const WINDOW_SECONDS = 10;

/** Counts what happens to items and works out rate and time left. */
export class ProgressCounter {
  readonly #counts: Record<Count, number> = { seen: 0, stored: 0, skipped: 0, failed: 0, knownFailures: 0 };
  readonly #kinds = {
    images: { seen: 0, stored: 0, skipped: 0, failed: 0 },
    captions: { seen: 0, stored: 0, skipped: 0, failed: 0 },
  };
  readonly #sourceFraction: () => number | undefined;
  readonly #now: () => number;
  /** Items done at moments of the last ten seconds, oldest first. */
  readonly #moments: { readonly at: number; readonly done: number }[] = [];

  constructor(sourceFraction: () => number | undefined, now: () => number = () => performance.now() / 1000) {
    this.#sourceFraction = sourceFraction;
    this.#now = now;
    this.#moments.push({ at: now(), done: 0 });
  }

  add(count: Count, kind: Item['kind'], items = 1): void {
    this.#counts[count] += items;
    if (kind === 'broken' || count === 'knownFailures') return;
    this.#kinds[kind === 'image' ? 'images' : 'captions'][count] += items;
  }

  snapshot(): Progress {
    const { seen, stored, skipped, failed } = this.#counts;
    const done = stored + skipped + failed;
    const rate = this.#rate(done);
    const read = this.#sourceFraction();
    // What was read but is not done yet is part of the work left: the source runs ahead of the model.
    const total = read ? seen / read : undefined;
    return {
      ...this.#counts,
      kinds: { images: { ...this.#kinds.images }, captions: { ...this.#kinds.captions } },
      rate,
      fraction: total ? Math.min(1, done / total) : undefined,
      secondsLeft: total && rate > 0 ? Math.max(0, total - done) / rate : undefined,
    };
  }

  #rate(done: number): number {
    const at = this.#now();
    this.#moments.push({ at, done });
    while (this.#moments.length > 2 && at - (this.#moments[1]?.at ?? at) > WINDOW_SECONDS)
      this.#moments.shift();
    const oldest = this.#moments[0];
    return oldest && at > oldest.at ? (done - oldest.done) / (at - oldest.at) : 0;
  }
}
