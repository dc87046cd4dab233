import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { parseRedisUrl } from '#queue/address.ts';
import { connectRedis } from '#queue/connection.ts';
import { startHeartbeat } from '#queue/heartbeat.ts';
import { createProducer } from '#queue/producer.ts';
import { createQueryClient } from '#queue/query-client.ts';
import { queueStatus } from '#queue/status.ts';
import { startCluster } from './cluster.ts';
import { names, openScene, toAdd, untilState } from './queue-fixture.ts';

const ANSWER = { hits: [], cursor: null, approximate: false, calibrated: false };

describe('connectRedis to a Cluster', () => {
  test('of three nodes: jobs of many indexes are added, taken, and queries answered', async (t) => {
    const [, , third] = await startCluster(t, { nodes: 3 });
    const address = parseRedisUrl(`redis-cluster://127.0.0.1:1,127.0.0.1:${third}`);
    // Of six indexes the keys lie on several nodes.
    for (const _ of names(6)) {
      const { client, queues, indexId, consume, troubles } = await openScene(t, { address });
      const producer = createProducer(queues, 10);
      assert.equal(await producer.add(toAdd(names(3)), t.signal), 3);
      assert.equal(await producer.add(toAdd(names(4)), t.signal), 1);
      await using _heart = startHeartbeat(queues, async () => ({ worker: 'w', says: 'it is well' }));
      const consumer = consume({ answerQuery: async () => ANSWER });
      for (const id of names(4)) await untilState(queues, id, 'completed');
      await using asker = await createQueryClient(client, indexId);
      assert.deepEqual(await asker.query({ kind: 'search', text: 'a' }), ANSWER);
      assert.equal((await queueStatus(queues)).workers, 1);
      await consumer.close(1000);
      assert.deepEqual(troubles, []);
    }
  });

  test('with a password; one that is wrong, nobody there, or one that may drop jobs, is told without it', async (t) => {
    const [port] = await startCluster(t, { nodes: 1, password: 'secret' });
    const { client } = await openScene(t, {
      address: parseRedisUrl(`redis-cluster://:secret@127.0.0.1:${port}`),
    });
    assert.equal(await client.set('key', 'value'), 'OK');
    for (const [url, reason] of [
      [`redis-cluster://:wrong-one@127.0.0.1:${port}`, /WRONGPASS/],
      ['redis-cluster://:secret@127.0.0.1:1', /received Connection is closed/],
    ] as const) {
      await assert.rejects(connectRedis(parseRedisUrl(url)), (error: Error & { code: string }) => {
        assert.equal(error.code, 'REDIS_UNREACHABLE');
        assert.match(error.message, reason);
        assert.doesNotMatch(inspect(error, { depth: 9 }), /secret|wrong-one/);
        return true;
      });
    }
    await client.config('SET', 'maxmemory-policy', 'volatile-lru');
    const refused = connectRedis(parseRedisUrl(`redis-cluster://:secret@127.0.0.1:${port}`));
    await assert.rejects(refused, { code: 'REDIS_UNSUITABLE', message: /received volatile-lru, which/ });
  });
});
