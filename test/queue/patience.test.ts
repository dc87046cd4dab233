import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createProducer } from '#queue/producer.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { names, openScene, toAdd, until } from './queue-fixture.ts';

type Step = (redis: Redis) => Promise<unknown>;

const FAULTS: Readonly<Record<string, readonly [begin: Step, end: Step]>> = {
  full: [(redis) => redis.config('SET', 'maxmemory', '1'), (redis) => redis.config('SET', 'maxmemory', '0')],
  'read-only': [
    (redis) => redis.call('REPLICAOF', '127.0.0.1', '1'),
    (redis) => redis.call('REPLICAOF', 'NO', 'ONE'),
  ],
  'asking for a password': [
    async (redis) => {
      await redis.config('SET', 'requirepass', 'changed');
      await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    },
    (redis) => redis.config('SET', 'requirepass', ''),
  ],
};

describe('a consumer whose Redis is', { timeout: 120_000 }, () => {
  for (const [name, [begin, end]] of Object.entries(FAULTS)) {
    test(`${name} for a while: what it had in hand is done once, no job fails, and the rest follows`, async (t) => {
      await using redis = await startTestRedis();
      const { queues, consume, troubles } = await openScene(t, redis);
      const gate = Promise.withResolvers<void>();
      const taken: string[] = [];
      consume({
        lockDurationMs: 30_000,
        async takeChunk(_, id) {
          taken.push(id);
          await gate.promise;
          return { kind: 'done', result: { id } };
        },
      });
      await createProducer(queues, 100).add(toAdd(names(20)), t.signal);
      await until(
        () => taken.length,
        (count) => count === 1,
      );
      await begin(redis.client);
      gate.resolve();
      await setTimeout(3000);
      await end(redis.client);
      await until(
        () => queues.chunks.getJobCounts('completed', 'failed').catch(() => ({ completed: 0, failed: 0 })),
        ({ completed, failed }) => completed === 20 && failed === 0,
        60,
      );
      assert.deepEqual(taken, [...names(20)], 'each once');
      t.diagnostic(troubles.slice(0, 3).join(' | '));
    });
  }
});
