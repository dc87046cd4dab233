import { setTimeout } from 'node:timers/promises';
import type { Queues } from './bull-queues.ts';
import type { ChunkJob } from './job.ts';

/** From the one that waits to the one that goes first. */
export const PRIORITIES = ['bulk', 'normal', 'urgent'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** BullMQ's numbers: a larger one waits for the smaller ones. */
const RANK: Readonly<Record<Priority, number>> = { urgent: 1, normal: 2, bulk: 3 };

export interface ChunkToAdd {
  readonly id: string;
  readonly priority: string;
  readonly job: ChunkJob;
}

export interface Producer {
  /**
   * Adds chunk jobs and waits for room before. A job of the same id that is not completed is not added again. Returns how many
   * were new. Throws what ends the wait (`signal`).
   */
  add(chunks: readonly ChunkToAdd[], signal: AbortSignal): Promise<number>;
  /** Of which of these ids Redis has a job that is not completed. */
  has(ids: readonly string[]): Promise<Set<string>>;
  /** Takes jobs back that nobody works on. */
  remove(ids: readonly string[]): Promise<void>;
}

const LOOK_AGAIN_MS = 100;

/** `maxWaiting`: chunk jobs in Redis at which a producer waits. Several producers may be over it by a batch each. */
export function createProducer({ chunks: queue, client }: Queues, maxWaiting: number): Producer {
  async function room(signal: AbortSignal): Promise<number> {
    for (;;) {
      const counts = await queue.getJobCounts('wait', 'prioritized', 'delayed');
      const waiting = Object.values(counts).reduce((sum, count) => sum + count, 0);
      if (waiting < maxWaiting) return maxWaiting - waiting;
      await setTimeout(LOOK_AGAIN_MS, undefined, { signal });
    }
  }

  async function has(ids: readonly string[]): Promise<Set<string>> {
    const asking = client.pipeline();
    for (const id of ids) asking.exists(queue.toKey(id)).zscore(queue.toKey('completed'), id);
    const answers = (await asking.exec()) ?? [];
    for (const [error] of answers) if (error) throw error;
    return new Set(ids.filter((_, i) => answers[2 * i]?.[1] === 1 && answers[2 * i + 1]?.[1] === null));
  }

  async function removeCompleted(ids: readonly string[]): Promise<void> {
    const asking = client.pipeline();
    for (const id of ids) asking.exists(queue.toKey(id));
    const answers = (await asking.exec()) ?? [];
    for (const [i, id] of ids.entries()) if (answers[i]?.[1] === 1) await queue.remove(id);
  }

  return {
    has,
    async add(chunks, signal) {
      const known = await has(chunks.map(({ id }) => id));
      // Also those that this call has already.
      const unknown = chunks.filter(({ id }) => !known.has(id) && known.add(id));
      for (let done = 0; done < unknown.length; ) {
        const some = unknown.slice(done, done + (await room(signal)));
        // BullMQ would take the job of the same id that it still shows for the new one.
        await removeCompleted(some.map(({ id }) => id));
        await queue.addBulk(some.map(toBulkJob));
        done += some.length;
      }
      return unknown.length;
    },
    async remove(ids) {
      // A job that is worked on just now is locked, and stays.
      for (const id of ids) await queue.remove(id).catch(() => 0);
    },
  };
}

function toBulkJob({ id, priority, job }: ChunkToAdd) {
  const rank = RANK[priority as Priority] ?? RANK.normal;
  return { name: 'chunk', data: job, opts: { jobId: id, priority: rank } };
}
