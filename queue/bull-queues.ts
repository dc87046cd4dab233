import { Queue } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';
import type { RedisClient } from './connection.ts';
import { JOB_FORMAT } from './job.ts';

/** The name of a queue for jobs of a format, so that workers of two versions never take each other's. */
export function queueName(kind: QueueKind, format = JOB_FORMAT): string {
  // Format 1 did not say so.
  return format === 1 ? kind : `${kind}-${format}`;
}

export const QUEUE_KINDS = ['chunks', 'queries', 'retrievals'] as const;
export type QueueKind = (typeof QUEUE_KINDS)[number];

/** Chunks of items to index. */
export const CHUNKS = queueName('chunks');
/** Searches and texts to embed, apart, so that bulk work never delays them. */
export const QUERIES = queueName('queries');
/** Batch retrievals, which may take hours: a worker does one at a time. */
export const RETRIEVALS = queueName('retrievals');

/** What is done stays visible for a while, in bounds; what failed stays longer. Ages in seconds. */
export const KEEP = {
  chunks: {
    removeOnComplete: { age: 3600, count: 1000 },
    removeOnFail: { age: 30 * 86_400, count: 100_000 },
  },
  retrievals: {
    removeOnComplete: { age: 86_400, count: 1000 },
    removeOnFail: { age: 30 * 86_400, count: 1000 },
  },
  queries: { removeOnComplete: { age: 60, count: 1000 }, removeOnFail: { age: 3600, count: 1000 } },
} as const;

export interface BullOptions {
  readonly connection: RedisClient;
  readonly prefix: string;
  readonly telemetry: BullMQOtel;
}

/** What all queues and workers of one index have in common. In a Cluster, the braces keep its keys on one node. */
export function bullOptions(client: RedisClient, indexId: string): BullOptions {
  return { connection: client, prefix: `vlmo:{${indexId}}`, telemetry };
}

/** Does nothing until the user's program registers an OpenTelemetry SDK. */
const telemetry = new BullMQOtel({ tracerName: 'vlmo' });

/** The queues of one index. */
export interface Queues {
  readonly client: RedisClient;
  /** Where the keys of ours that BullMQ does not know begin. */
  readonly prefix: string;
  readonly chunks: Queue;
  readonly queries: Queue;
  readonly retrievals: Queue;
  close(): Promise<void>;
}

/** Opens the queues of an index on a connection that stays the caller's. */
export function openQueues(client: RedisClient, indexId: string): Queues {
  const options = bullOptions(client, indexId);
  const chunks = new Queue(CHUNKS, { ...options, defaultJobOptions: KEEP.chunks });
  const queries = new Queue(QUERIES, { ...options, defaultJobOptions: KEEP.queries });
  const retrievals = new Queue(RETRIEVALS, { ...options, defaultJobOptions: KEEP.retrievals });
  const all = [chunks, queries, retrievals];
  // Said by the connection's own listener.
  for (const queue of all) queue.on('error', () => undefined);
  return {
    ...{ client, prefix: options.prefix, chunks, queries, retrievals },
    async close() {
      for (const queue of all) await queue.close();
    },
  };
}
