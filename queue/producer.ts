import { setTimeout } from 'node:timers/promises';
import type { Queues } from './bull-queues.ts';
import type { ChunkJob } from './job.ts';
import { type Patience, patiently } from './patience.ts';

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
  /** The jobs of these ids that Redis has and that are not completed: why each has failed, null while it has not. */
  find(ids: readonly string[]): Promise<Map<string, string | null>>;
  /** Takes jobs back that nobody works on. */
  remove(ids: readonly string[]): Promise<void>;
}

const LOOK_AGAIN_MS = 100;

/** A producer whose every step is tried again while Redis refuses it or does not answer; what was added stays added. */
export function createPatientProducer(queues: Queues, maxWaiting: number, patience: Patience): Producer {
  const producer = createProducer(queues, maxWaiting);
  return {
    async add(chunks, signal) {
      let added = 0;
      await patiently(
        async () => {
          added += await producer.add(chunks, signal);
        },
        { ...patience, signal },
      );
      return added;
    },
    find: (ids) => patiently(() => producer.find(ids), patience),
    remove: (ids) => patiently(() => producer.remove(ids), patience),
  };
}

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

  async function find(ids: readonly string[]): Promise<Map<string, string | null>> {
    const asking = client.pipeline();
    for (const id of ids) {
      asking.zscore(queue.toKey('completed'), id).zscore(queue.toKey('failed'), id);
      asking.exists(queue.toKey(id)).hget(queue.toKey(id), 'failedReason');
    }
    const answers = (await asking.exec()) ?? [];
    for (const [error] of answers) if (error) throw error;
    const found = new Map<string, string | null>();
    for (const [i, id] of ids.entries()) {
      const [completed, failed, exists, reason] = answers.slice(4 * i).map(([, answer]) => answer);
      if (exists === 1 && completed === null)
        found.set(id, failed === null ? null : String(reason ?? 'no reason'));
    }
    return found;
  }

  async function removeCompleted(ids: readonly string[]): Promise<void> {
    const asking = client.pipeline();
    for (const id of ids) asking.exists(queue.toKey(id));
    const answers = (await asking.exec()) ?? [];
    for (const [i, id] of ids.entries()) if (answers[i]?.[1] === 1) await queue.remove(id);
  }

  return {
    find,
    async add(chunks, signal) {
      const known = new Set((await find(chunks.map(({ id }) => id))).keys());
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
