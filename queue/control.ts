import type { Queues } from './bull-queues.ts';

const BATCH = 1000;

/** Lets no more chunk jobs be taken; queries and retrievals go on. */
export async function pauseChunks({ chunks }: Queues): Promise<void> {
  await chunks.pause();
}

export async function resumeChunks({ chunks }: Queues): Promise<void> {
  await chunks.resume();
}

/** Takes away every chunk job that waits, those that wait to be tried again too. Returns how many there were. */
export async function drainChunks({ chunks }: Queues): Promise<number> {
  const counts = await chunks.getJobCounts('wait', 'prioritized', 'delayed');
  await chunks.drain(true);
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Lets failed chunk jobs wait again. Returns how many; one that cannot be understood fails again at once. */
export async function retryFailedJobs({ chunks }: Queues): Promise<number> {
  const { failed = 0 } = await chunks.getJobCounts('failed');
  if (failed > 0) await chunks.retryJobs({ state: 'failed', count: BATCH });
  return failed;
}

export interface Cleaned {
  readonly completed: number;
  readonly failed: number;
}

/** Forgets the jobs that are over, in all queues. What they did stays in the index. */
export async function cleanJobs({ chunks, queries, retrievals }: Queues): Promise<Cleaned> {
  const counts = { completed: 0, failed: 0 };
  for (const queue of [chunks, queries, retrievals]) {
    for (const state of ['completed', 'failed'] as const) {
      for (let ids = await queue.clean(0, BATCH, state); ids.length > 0; ) {
        counts[state] += ids.length;
        ids = await queue.clean(0, BATCH, state);
      }
    }
  }
  return counts;
}
