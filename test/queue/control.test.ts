import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cleanJobs, drainChunks, retryFailedJobs } from '#queue/control.ts';
import { createProducer } from '#queue/producer.ts';
import {
  chunkJob,
  names,
  openScene,
  sharedRedis,
  toAdd,
  until,
  untilState,
  waiting,
} from './queue-fixture.ts';

const redis = await sharedRedis();
const forever = new AbortController().signal;
/** More than one batch. */
const MANY = 1100;

describe('a queue that is paused', () => {
  test('gives out no chunk until it is resumed; queries go on', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    await queues.chunks.pause();
    const taken: string[] = [];
    consume({
      async takeChunk(_, id) {
        taken.push(id);
        return { kind: 'done', result: {} };
      },
    });
    await createProducer(queues, 10).add(toAdd(['a', 'b']), forever);
    // Taken one after the other: the last one is done when the chunks could have been.
    for (const id of ['1', '2', '3']) {
      await queues.queries.add('search', { kind: 'search', text: 'a' }, { jobId: `q${id}` });
      await until(
        () => queues.queries.getJobState(`q${id}`),
        (state) => state === 'completed',
      );
    }
    assert.deepEqual([taken, await waiting(queues)], [[], 2]);
    await queues.chunks.resume();
    await untilState(queues, 'b', 'completed');
    assert.deepEqual(taken, ['a', 'b']);
  });
});

describe('drainChunks', () => {
  for (const isPaused of [false, true]) {
    test(`takes away all that waits, of any kind, and counts it; ${isPaused ? '' : 'not '}paused`, async (t) => {
      const { queues, consume } = await openScene(t, redis);
      const gate = Promise.withResolvers<void>();
      consume({
        async takeChunk() {
          await gate.promise;
          return { kind: 'done', result: {} };
        },
      });
      await createProducer(queues, 10).add(toAdd(['busy']), forever);
      await untilState(queues, 'busy', 'active');
      await createProducer(queues, 10).add(toAdd(['a', 'b']), forever);
      await queues.chunks.add('chunk', chunkJob('later'), { jobId: 'later', delay: 3_600_000 });
      // Another program may leave the priority out.
      await queues.chunks.add('chunk', chunkJob('plain'), { jobId: 'plain' });
      await queues.queries.add('search', { kind: 'nonsense' }, { jobId: 'q', delay: 3_600_000 });
      if (isPaused) await queues.chunks.pause();
      assert.equal(await drainChunks(queues), 4);
      const { find } = createProducer(queues, 10);
      assert.deepEqual([...(await find(['busy', 'a', 'b', 'later', 'plain'])).keys()], ['busy']);
      assert.equal(await waiting(queues), 0);
      assert.equal(await queues.queries.getJobState('q'), 'delayed');
      assert.equal(await drainChunks(queues), 0);
      gate.resolve();
      await untilState(queues, 'busy', 'completed');
    });
  }
});

describe('retryFailedJobs and cleanJobs', { timeout: 60_000 }, () => {
  test('more than a batch: all wait again, fail again, and are forgotten', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const jobs = names(MANY).map((id) => ({ name: 'chunk', data: { id }, opts: { jobId: id } }));
    await queues.chunks.addBulk(jobs);
    const failed = (): Promise<number> => queues.chunks.getJobCountByTypes('failed');
    const first = consume({ concurrency: 50 });
    await until(failed, (count) => count === MANY, 30);
    await first.close(1000);
    assert.equal(await retryFailedJobs(queues), MANY);
    assert.deepEqual([await failed(), await waiting(queues)], [0, MANY]);
    const second = consume({ concurrency: 50 });
    await until(failed, (count) => count === MANY, 30);
    await second.close(1000);
    assert.deepEqual(await cleanJobs(queues), { completed: 0, failed: MANY });
    assert.deepEqual(await createProducer(queues, 1).find(names(MANY)), new Map());
    assert.equal(await retryFailedJobs(queues), 0);
  });

  test('cleanJobs forgets what is over in all queues, and nothing else', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const consumer = consume({
      async takeChunk(_, id) {
        if (id === 'bad') throw new Error('no');
        return { kind: 'done', result: {} };
      },
    });
    await createProducer(queues, 10).add(toAdd(['good', 'bad', 'fine']), forever);
    await queues.queries.add('search', { kind: 'search', text: 'a' });
    await queues.queries.add('search', { kind: 'nonsense' });
    await queues.retrievals.add('pairs', { kind: 'pairs', out: 'a.parquet' });
    await queues.retrievals.add('pairs', { kind: 'nonsense' });
    for (const [queue, count] of [
      [queues.chunks, 3],
      [queues.queries, 2],
      [queues.retrievals, 2],
    ] as const)
      await until(
        () => queue.getJobCountByTypes('completed', 'failed'),
        (over) => over === count,
      );
    await consumer.close(1000);
    await createProducer(queues, 10).add(toAdd(['waits']), forever);
    assert.deepEqual(await cleanJobs(queues), { completed: 4, failed: 3 });
    assert.equal(await waiting(queues), 1);
    assert.deepEqual(await cleanJobs(queues), { completed: 0, failed: 0 });
  });
});
