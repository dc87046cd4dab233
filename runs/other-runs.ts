import { setTimeout } from 'node:timers/promises';
import { isHere } from '#host-process.ts';
import type { RunRecord, Store } from '#store/contract.ts';
import { RunWatch, STILL_MS } from './run-watch.ts';

const LOOK_MS = 2000;

/** What is read: a source of a collection, and the run that reads it; null for a look that is no run. */
export interface Reading extends Pick<RunRecord, 'collection' | 'source'> {
  readonly run: string | null;
}

/** The other runs of a collection, as they were when a pass over a source began. */
export class OtherRuns {
  readonly #store: Store;
  readonly #reading: Reading;
  readonly #watch = new RunWatch();
  readonly #known = new Set<string>();
  readonly #ended = new Set<string>();
  /** Those that were reading the source too, with their leases. */
  readonly #readers = new Map<string, number | null>();

  private constructor(store: Store, reading: Reading) {
    this.#store = store;
    this.#reading = reading;
  }

  static async look(store: Store, reading: Reading): Promise<OtherRuns> {
    const others = new OtherRuns(store, reading);
    for await (const run of others.#scan()) {
      others.#known.add(run.id);
      const isReading = run.source === reading.source && (run.kind === 'direct' || !run.submitted);
      if (await others.#watch.hasEnded(store, run)) others.#ended.add(run.id);
      else if (isReading) others.#readers.set(run.id, run.lease);
    }
    return others;
  }

  /** Those that had not ended when the pass began, and those that began since: what they wrote stays. */
  async since(): Promise<ReadonlySet<string>> {
    const ids = new Set<string>();
    for await (const { id } of this.#scan()) if (!this.#ended.has(id)) ids.add(id);
    return ids;
  }

  /**
   * A run that read the same source while the pass did: what that has met and found unchanged, no row tells. One of another
   * host whose lease stands still is watched until it is known whether it lives, for a minute at most.
   */
  async reader(signal: AbortSignal): Promise<RunRecord | undefined> {
    for (const end = performance.now() + STILL_MS + LOOK_MS; ; ) {
      let silent: RunRecord | undefined;
      for await (const run of this.#scan()) {
        if (run.source !== this.#reading.source) continue;
        if (!this.#known.has(run.id)) return run;
        const lease = this.#readers.get(run.id);
        if (lease === undefined) continue;
        if (run.state !== 'running' || run.lease !== lease) return run;
        if (!(await this.#watch.hasEnded(this.#store, run))) silent = run;
      }
      const isKnown = !silent || (silent.owner !== null && isHere(silent.owner));
      if (isKnown || signal.aborted || performance.now() >= end) return silent;
      await setTimeout(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async *#scan(): AsyncGenerator<RunRecord> {
    const { collection, run } = this.#reading;
    for await (const record of this.#store.runs.scan())
      if (record.collection === collection && record.id !== run) yield record;
  }
}
