import type { RunRecord, Store } from '#store/contract.ts';

/** Ends the queued runs that are under way without doing the rest of them. What is stored stays. Returns them. */
export async function cancelRuns(store: Store): Promise<RunRecord[]> {
  const cancelled: RunRecord[] = [];
  for await (const run of store.runs.scan({ kind: 'queued', state: 'running' })) {
    const { items: seen, stored, skipped, failed } = await store.ledger.tally(run.id);
    const counts = { seen, stored, skipped, failed };
    cancelled.push({ ...run, ...counts, state: 'cancelled', endedAt: new Date() });
  }
  for (const run of cancelled) {
    await store.runs.upsert(run);
    await store.ledger.drop(run.id);
  }
  return cancelled;
}
