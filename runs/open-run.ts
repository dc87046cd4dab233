import { setTimeout } from 'node:timers/promises';
import { describeProcess, isHere } from '#host-process.ts';
import type { RunRecord, Store } from '#store/contract.ts';
import { beginRun, type RunRequest } from './begin.ts';
import { RunWatch } from './run-watch.ts';

const LOOK_MS = 2000;

/**
 * The queued run that goes on, if the same was asked before and is neither done nor submitted by another process just
 * now; else a new one. `signal` ends the wait for what another host does.
 */
export async function openRun(
  store: Store,
  request: RunRequest,
  signal: AbortSignal,
  startedAt?: Date,
): Promise<{ run: RunRecord; isResumed: boolean }> {
  for await (const run of store.runs.scan({ kind: 'queued', state: 'running' })) {
    if (!isSame(run, request) || (await hasSubmitter(store, run.id, signal))) continue;
    // Of two that take it over at once, the second one finds another owner.
    const taken = { ...run, submitted: false, owner: describeProcess(), lease: (run.lease ?? 0) + 1 };
    if (await store.runs.update(taken, run.owner)) return { run: taken, isResumed: true };
  }
  return { run: await beginRun(store, request, startedAt), isResumed: false };
}

function isSame(run: RunRecord, { source, place, generation, options }: RunRequest): boolean {
  const { collection, name } = generation;
  const isSameSource =
    run.source === source && run.place === place && run.collection === collection && run.generation === name;
  return isSameSource && run.options === JSON.stringify(options);
}

/** Whether another process submits a run just now; one of another host is watched for as long as it takes to know. */
async function hasSubmitter(store: Store, id: string, signal: AbortSignal): Promise<boolean> {
  const watch = new RunWatch();
  for (let lease: number | null | undefined; !signal.aborted; ) {
    const run = await store.runs.find(id);
    if (!run || run.submitted || !watch.hasOwner(run)) return false;
    const isKnown = run.owner !== null && isHere(run.owner);
    if (isKnown || (lease !== undefined && run.lease !== lease)) return true;
    lease = run.lease;
    await setTimeout(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  return true;
}
