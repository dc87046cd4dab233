import { setTimeout } from 'node:timers/promises';
import type { RunRecord, Store } from '#store/contract.ts';
import { isFailedSource } from './failed-source.ts';
import { type RunWatch, STILL_MS } from './run-watch.ts';

const LOOK_MS = 2000;

/**
 * After a whole pass over a source: failures that older runs over it listed, or a retry of what
 * had failed listed again, have ended, and that this one did not meet
 * again are gone. A mended row or sidecar gives no item that could settle them, and neither does a picture that was
 * deleted. What the pass did meet, it listed under its own number; what a run lists that is still under way, is its own.
 */
export async function pruneFailures(store: Store, run: RunRecord, watch: RunWatch): Promise<void> {
  if ((await store.failures.count(run.collection)) === 0) return;
  const { collection, source } = run;
  const ended = { passes: [] as string[], retries: [] as string[] };
  for await (const older of olderRuns(store, run))
    if (await watch.hasEnded(store, older))
      ended[isFailedSource(older.source) ? 'retries' : 'passes'].push(older.id);
  if (ended.passes.length > 0) await store.failures.deleteOfRuns(collection, ended.passes);
  // A retry lists again what is of all sources.
  if (ended.retries.length > 0) await store.failures.deleteOfRuns(collection, ended.retries, source);
}

/** Notes the leases of older runs that are under way, so that their end can be told later. */
export async function watchOlder(store: Store, run: RunRecord, watch: RunWatch): Promise<void> {
  for await (const older of olderRuns(store, run)) await watch.hasEnded(store, older);
}

/**
 * Waits until it is known of each older run that has listed failures whether it lives: that its process was killed on
 * another host, a standing lease says after a minute. `signal` ends the wait.
 */
export async function untilOlderAreKnown(
  store: Store,
  run: RunRecord,
  watch: RunWatch,
  signal: AbortSignal,
): Promise<void> {
  const asked = new Map<string, number | null>();
  for await (const older of olderRuns(store, run)) {
    const isOpen = older.kind === 'direct' && !(await watch.hasEnded(store, older));
    if (isOpen) asked.set(older.id, older.lease);
  }
  for (const end = performance.now() + STILL_MS; performance.now() < end + LOOK_MS; ) {
    if (asked.size === 0 || !(await hasFailureOf(store, run.collection, asked))) return;
    await setTimeout(LOOK_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    for (const [id, lease] of asked) {
      const now = await store.runs.find(id);
      if (!now || now.lease !== lease || (await watch.hasEnded(store, now))) asked.delete(id);
    }
  }
}

async function* olderRuns(store: Store, { id, source, collection, number }: RunRecord) {
  for await (const record of store.runs.scan()) {
    const isOfIt = record.source === source || isFailedSource(record.source);
    const isSame = isOfIt && record.collection === collection && record.id !== id;
    if (isSame && (record.number ?? 0) < (number ?? 0)) yield record;
  }
}

async function hasFailureOf(
  store: Store,
  collection: string,
  runs: ReadonlyMap<string, unknown>,
): Promise<boolean> {
  for await (const { run } of store.failures.scan(collection)) if (runs.has(run)) return true;
  return false;
}
