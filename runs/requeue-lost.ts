import { chunks } from '#batches.ts';
import { type ErrorData, toErrorData } from '#errors.ts';
import { parseChunkJob } from '#queue/job.ts';
import type { ChunkToAdd, Producer } from '#queue/producer.ts';
import { rebuildError } from '#queue/query-client.ts';
import type { ChunkRecord, RunRecord, Store } from '#store/contract.ts';
import { failChunk } from './fail-chunk.ts';

/** Chunks looked up in Redis at a time. */
const BATCH = 500;

export interface Requeued {
  /** Chunks put back into Redis. */
  readonly lost: number;
  /** Items of chunks that have failed for good, listed now, and why the last of them has. */
  readonly failed: number;
  readonly reason: string | undefined;
}

/**
 * Puts back what Redis forgot: chunks of a run that have no result and no job; and settles those whose job has failed for
 * good. One that is done in this very moment may be put back too; it is then found to be done.
 */
export async function requeueLost(
  store: Store,
  producer: Producer,
  run: RunRecord,
  signal: AbortSignal,
): Promise<Requeued> {
  let lost = 0;
  let failed = 0;
  let reason: string | undefined;
  async function fail(chunk: ChunkRecord, error: ErrorData): Promise<void> {
    failed += (await failChunk(store, run, chunk, error)).failed;
    reason = error.message;
  }
  for await (const ids of chunks(store.ledger.unsettled(run.id), BATCH)) {
    const known = await producer.find(ids);
    const forgotten = ids.filter((id) => !known.has(id));
    const ended = ids.filter((id) => typeof known.get(id) === 'string');
    if (forgotten.length > 0) {
      const jobs: ChunkToAdd[] = [];
      for (const chunk of await store.ledger.find(run.id, forgotten)) {
        const { id, priority, data } = chunk;
        try {
          jobs.push({ id, priority, job: parseChunkJob(JSON.parse(data)) });
        } catch (error) {
          // Of a version that took what does not fit a job.
          await fail(chunk, toErrorData(error, 'JOB_INVALID'));
        }
      }
      lost += await producer.add(jobs, signal);
    }
    if (ended.length === 0) continue;
    for (const chunk of await store.ledger.find(run.id, ended))
      await fail(chunk, rebuildError(new Error(known.get(chunk.id) ?? '')));
  }
  return { lost, failed, reason };
}
