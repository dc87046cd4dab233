import type { RunRecord, Store } from '#store/contract.ts';
import { activateGeneration } from './activate.ts';
import { isFailedSource } from './failed-source.ts';
import { pruneFailures } from './prune-failures.ts';
import { RunWatch } from './run-watch.ts';
import { withResults } from './status.ts';

/**
 * Ends a queued run whose every item is stored or listed as failed: its generation serves from now on, and its part of
 * the ledger goes. Any process may call this, any number of times; a run that is not done is left as it is. `watch` tells
 * which older runs were killed. Returns the run as it is now, undefined where there is none of this id.
 */
export async function completeRun(
  store: Store,
  id: string,
  watch: RunWatch = new RunWatch(),
): Promise<RunRecord | undefined> {
  const run = await store.runs.find(id);
  if (!store.isWritable || run?.kind !== 'queued' || run.state !== 'running' || !run.submitted) return run;
  for await (const _ of store.ledger.unsettled(id)) return run;
  const { items, stored, skipped, failed, kinds } = await store.ledger.tally(id);
  // Fewer: another process ends this run just now, and its part of the ledger is gone already.
  if (items !== run.seen || stored + skipped + failed !== items) return run;
  if (!isFailedSource(run.source)) await pruneFailures(store, run, watch);
  await activateGeneration(store, run);
  const counts = { stored, skipped, failed, kinds: withResults(run, { stored, skipped, kinds }) };
  const complete: RunRecord = { ...run, ...counts, state: 'complete', endedAt: new Date() };
  await store.runs.upsert(complete);
  await store.ledger.drop(id);
  return complete;
}
