import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openQueues, type Queues } from '#queue/bull-queues.ts';
import { closeRedis, connectRedis, type RedisClient } from '#queue/connection.ts';
import { type Consumer, type ConsumerSetup, createConsumer } from '#queue/consumer.ts';
import type { ChunkJob } from '#queue/job.ts';
import type { ChunkToAdd } from '#queue/producer.ts';
import { startTestRedis, type TestRedis } from '../fixtures/redis-server.ts';

/** A Redis for all tests of a file. It need not survive the machine: no write waits for the disk. */
export async function sharedRedis(args: readonly string[] = []): Promise<TestRedis> {
  const redis = await startTestRedis(['--appendfsync', 'no', ...args]);
  after(() => redis[Symbol.asyncDispose]());
  return redis;
}

/** What is closed after a test, the last one first: a server outlives those who talk to it. */
export function cleanup(t: TestContext): AsyncDisposableStack {
  const known = stacks.get(t);
  if (known) return known;
  const stack = new AsyncDisposableStack();
  stacks.set(t, stack);
  t.after(() => stack.disposeAsync());
  return stack;
}

const stacks = new WeakMap<TestContext, AsyncDisposableStack>();

/** What a consumer of a scene does where the test does not care. */
type Handlers = Partial<Omit<ConsumerSetup, 'client' | 'indexId' | 'onTrouble' | 'onNote'>>;

/** An index of the test's own in a Redis. */
export interface Scene {
  readonly indexId: string;
  readonly client: RedisClient;
  readonly queues: Queues;
  /** What consumers have told. */
  readonly troubles: string[];
  consume(handlers?: Handlers): Consumer;
}

/** Opens it; everything is closed after the test, consumers too. */
export async function openScene(t: TestContext, { address }: Pick<TestRedis, 'address'>): Promise<Scene> {
  const stack = cleanup(t);
  const client = await connectRedis(address);
  stack.defer(() => closeRedis(client));
  const indexId = randomUUID();
  const queues = openQueues(client, indexId);
  stack.defer(() => queues.close());
  const troubles: string[] = [];
  return {
    ...{ indexId, client, queues, troubles },
    consume(handlers = {}) {
      const consumer = createConsumer({
        ...{ client, indexId, concurrency: 1, lockDurationMs: 5000 },
        takeChunk: async () => ({ kind: 'done', result: {} }),
        answerQuery: async () => ({}),
        retrieve: async () => ({}),
        onNote: (words) => troubles.push(words),
        onTrouble: ({ message }) => troubles.push(message),
        ...handlers,
      });
      stack.defer(() => consumer.close(0));
      return consumer;
    },
  };
}

/** A chunk of one caption. */
export function chunkJob(id: string, changes: Partial<ChunkJob> = {}): ChunkJob {
  const item = { kind: 'caption', id, imageId: null, uri: `/${id}.jpg`, caption: id, meta: {} } as const;
  return { collection: 'default', items: [item], ...changes };
}

export function toAdd(ids: readonly string[], priority = 'normal'): ChunkToAdd[] {
  return ids.map((id) => ({ id, priority, job: chunkJob(id) }));
}

/** `count` names, in the order of the alphabet too. */
export function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `chunk-${String(i).padStart(4, '0')}`);
}

/** Chunk jobs that wait, those that wait to be tried again too. */
export async function waiting({ chunks }: Queues): Promise<number> {
  const counts = await chunks.getJobCounts('wait', 'prioritized', 'delayed');
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Looks again until what it reads holds, and gives it; fails after `seconds`. */
export async function until<T>(
  read: () => Promise<T> | T,
  holds: (value: T) => boolean,
  seconds = 15,
): Promise<T> {
  let last: T | undefined;
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    last = await read();
    if (holds(last)) return last;
    await setTimeout(10);
  }
  assert.fail(`after ${seconds} seconds: ${JSON.stringify(last)}`);
}

/** Waits until a chunk job is in that state. */
export async function untilState({ chunks }: Queues, id: string, state: string): Promise<void> {
  await until(
    () => chunks.getJobState(id),
    (found) => found === state,
  );
}
