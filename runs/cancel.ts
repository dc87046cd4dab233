import type { RunRecord, Store } from '#store/contract.ts';
import { withResults } from './status.ts';

/** Ends the queued runs that are under way, or one of them, without doing the rest of them. What is stored stays. Returns them. */
export async function cancelRuns(store: Store, only?: string): Promise<RunRecord[]> {
  const cancelled: RunRecord[] = [];
  for await (const run of store.runs.scan({ kind: 'queued', state: 'running' })) {
    if ((only ?? run.id) !== run.id) continue;
    const { items: seen, stored, skipped, failed, kinds } = await store.ledger.tally(run.id);
    const counts = { seen, stored, skipped, failed, kinds: withResults(run, { stored, skipped, kinds }) };
    cancelled.push({ ...run, ...counts, state: 'cancelled', endedAt: new Date() });
  }
  for (const run of cancelled) {
    await store.runs.upsert(run);
    await store.ledger.drop(run.id);
  }
  return cancelled;
}
