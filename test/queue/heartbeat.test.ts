import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { countAlive, startHeartbeat } from '#queue/heartbeat.ts';
import { openScene, sharedRedis, until } from './queue-fixture.ts';

const redis = await sharedRedis();

describe('countAlive', () => {
  test('counts each worker of the index from its start to its end', async (t) => {
    const { queues } = await openScene(t, redis);
    const { queues: others } = await openScene(t, redis);
    assert.equal(await countAlive(queues), 0);
    const first = startHeartbeat(queues);
    await using _second = startHeartbeat(queues);
    assert.deepEqual([await countAlive(queues), await countAlive(others)], [2, 0]);
    await first[Symbol.asyncDispose]();
    assert.equal(await countAlive(queues), 1);
  });

  test('a worker that was killed is forgotten after three beats', async (t) => {
    const { queues, client } = await openScene(t, redis);
    const key = `${queues.prefix}:workers-alive`;
    await client.zadd(key, Date.now() - 14_000, 'late');
    await client.zadd(key, Date.now() - 17_000, 'killed');
    assert.equal(await countAlive(queues), 1);
    assert.deepEqual(await client.zrange(key, '0', '-1'), ['late']);
  });

  test('with Redis emptied, a worker is counted again at its next beat', async (t) => {
    const { queues, client } = await openScene(t, redis);
    t.mock.timers.enable({ apis: ['setInterval'] });
    await using _heart = startHeartbeat(queues);
    assert.equal(await countAlive(queues), 1);
    await client.flushdb();
    assert.equal(await countAlive(queues), 0);
    t.mock.timers.tick(5000);
    await until(
      () => countAlive(queues),
      (count) => count === 1,
    );
  });
});
