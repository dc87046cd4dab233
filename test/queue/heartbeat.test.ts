import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Queues } from '#queue/bull-queues.ts';
import { aliveWorkers, startHeartbeat } from '#queue/heartbeat.ts';
import { openScene, sharedRedis, until } from './queue-fixture.ts';

const redis = await sharedRedis();

async function alive({ client, prefix }: Queues): Promise<Record<string, string>> {
  const beats = await aliveWorkers(client, prefix);
  return Object.fromEntries(beats.map(({ worker, says }) => [worker, says]));
}

const beatOf = (worker: string) => async () => ({ worker, says: `I am ${worker}` });

describe('aliveWorkers', () => {
  test('each worker of the index from its start to its end, and what it says', async (t) => {
    const { queues } = await openScene(t, redis);
    const { queues: others } = await openScene(t, redis);
    assert.deepEqual(await alive(queues), {});
    const first = startHeartbeat(queues, beatOf('a'));
    await using _second = startHeartbeat(queues, beatOf('b'));
    const both = { a: 'I am a', b: 'I am b' };
    await until(
      () => alive(queues),
      (found) => Object.keys(found).length === 2,
    );
    assert.deepEqual([await alive(queues), await alive(others)], [both, {}]);
    await first[Symbol.asyncDispose]();
    assert.deepEqual(await alive(queues), { b: 'I am b' });
  });

  test("a worker that was killed is forgotten after a while of Redis's clock, whatever that of this machine", async (t) => {
    const { queues, client } = await openScene(t, redis);
    const key = `${queues.prefix}:workers-alive`;
    t.mock.timers.enable({ apis: ['Date'], now: 0 });
    const [seconds] = (await client.call('TIME')) as [string];
    await client.zadd(key, Number(seconds) * 1000 - 14_000, 'late');
    await client.zadd(key, Number(seconds) * 1000 - 18_000, 'killed');
    assert.deepEqual(await alive(queues), { late: '' });
    await using _heart = startHeartbeat(queues, beatOf('c'));
    await until(
      () => client.zrange(key, '0', '-1'),
      (found) => found.length === 2 && !found.includes('killed'),
    );
  });

  test('with Redis emptied, a worker is counted again at its next beat', async (t) => {
    const { queues, client } = await openScene(t, redis);
    await using _heart = startHeartbeat(queues, beatOf('a'));
    const isAlive = () =>
      until(
        () => alive(queues),
        (found) => 'a' in found,
      );
    await isAlive();
    await client.flushdb();
    await isAlive();
  });
});
