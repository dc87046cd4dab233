import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startHeartbeat } from '#queue/heartbeat.ts';
import { createProducer } from '#queue/producer.ts';
import { queueStatus } from '#queue/status.ts';
import { chunkJob, names, openScene, sharedRedis, toAdd, until, untilState } from './queue-fixture.ts';

const redis = await sharedRedis();
const forever = new AbortController().signal;

describe('queueStatus', () => {
  test('of an index that has nothing', async (t) => {
    const { queues } = await openScene(t, redis);
    const nothing = {
      waiting: 0,
      active: 0,
      delayed: 0,
      failed: 0,
      isPaused: false,
      workers: 0,
      server: 'ok',
      otherJobs: [],
      failures: [],
    };
    assert.deepEqual(await queueStatus(queues), nothing);
  });

  test('counts chunk jobs by what they do, and workers', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    await using _heart = startHeartbeat(queues, async () => ({ worker: 'w', says: '' }));
    const gate = Promise.withResolvers<void>();
    consume({
      async takeChunk(job, id) {
        if (id === 'bad') throw new Error('for a reason');
        if (id === 'later') return { kind: 'again', job, delayMs: 3_600_000, reason: 'later' };
        await gate.promise;
        return { kind: 'done', result: {} };
      },
    });
    const { add } = createProducer(queues, 10);
    await add(toAdd(['bad', 'later', 'busy']), forever);
    await untilState(queues, 'busy', 'active');
    await queues.chunks.pause();
    await add(toAdd(['a', 'b']), forever);
    // Of another program, without a priority.
    await queues.chunks.add('chunk', chunkJob('c'), { jobId: 'c' });
    assert.deepEqual(await queueStatus(queues), {
      ...{ waiting: 3, active: 1, delayed: 1, failed: 1, isPaused: true, workers: 1 },
      ...{ server: 'ok', otherJobs: [] },
      failures: [{ id: 'bad', reason: 'for a reason' }],
    });
    gate.resolve();
  });

  test('shows the ten newest failures, the newest first', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    consume({
      async takeChunk(_, id) {
        throw new Error(`no ${id}`);
      },
    });
    await createProducer(queues, 20).add(toAdd(names(12)), forever);
    const { failures } = await until(
      () => queueStatus(queues),
      ({ failed }) => failed === 12,
    );
    const newest = names(12).reverse().slice(0, 10);
    assert.deepEqual(
      failures,
      newest.map((id) => ({ id, reason: `no ${id}` })),
    );
  });
});
