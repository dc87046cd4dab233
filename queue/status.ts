import type { Queues } from './bull-queues.ts';
import { aliveWorkers } from './heartbeat.ts';
import { type OtherJobs, otherJobs } from './other-formats.ts';
import { type ServerState, serverState } from './server-state.ts';

/** What Redis knows of the jobs of an index; counts are chunk jobs. */
export interface QueueStatus {
  readonly waiting: number;
  readonly active: number;
  /** Tried again later. */
  readonly delayed: number;
  readonly failed: number;
  readonly isPaused: boolean;
  readonly workers: number;
  /** Whether Redis takes what it is given. */
  readonly server: ServerState;
  /** Jobs of this index that only workers of another version take. */
  readonly otherJobs: readonly OtherJobs[];
  /** The newest failed jobs, and why. */
  readonly failures: readonly { readonly id: string; readonly reason: string }[];
}

const SHOWN_FAILURES = 10;

export async function queueStatus(queues: Queues): Promise<QueueStatus> {
  const { chunks } = queues;
  const [counts, isPaused, workers, failed, other, server] = await Promise.all([
    chunks.getJobCounts('wait', 'prioritized', 'active', 'delayed', 'failed'),
    chunks.isPaused(),
    aliveWorkers(queues.client, queues.prefix),
    chunks.getFailed(0, SHOWN_FAILURES - 1),
    otherJobs(queues),
    serverState(queues.client),
  ]);
  const { wait = 0, prioritized = 0, active = 0, delayed = 0, failed: failedCount = 0 } = counts;
  return {
    ...{
      waiting: wait + prioritized,
      active,
      delayed,
      failed: failedCount,
      isPaused,
      workers: workers.length,
      server,
      otherJobs: other,
    },
    failures: failed.map((job) => ({ id: job?.id ?? '', reason: job?.failedReason ?? '' })),
  };
}
