import { chunks } from '#batches.ts';
import { parseChunkJob } from '#queue/job.ts';
import type { Producer } from '#queue/producer.ts';
import type { RunRecord, Store } from '#store/contract.ts';

/** Chunks looked up in Redis at a time. */
const BATCH = 500;

/**
 * Puts back what Redis forgot: chunks of a run that have no result and no job. One that is done in this very moment
 * may be put back too; it is then found to be done. Returns how many.
 */
export async function requeueLost(
  store: Store,
  producer: Producer,
  { id: run }: RunRecord,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for await (const ids of chunks(store.ledger.unsettled(run), BATCH)) {
    const known = await producer.has(ids);
    const forgotten = ids.filter((id) => !known.has(id));
    if (forgotten.length === 0) continue;
    const chunks = await store.ledger.find(run, forgotten);
    const jobs = chunks.map(({ id, priority, data }) => ({
      id,
      priority,
      job: parseChunkJob(JSON.parse(data)),
    }));
    count += await producer.add(jobs, signal);
  }
  return count;
}
