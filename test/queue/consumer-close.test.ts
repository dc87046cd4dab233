// Runs alone: what a consumer gives back has to be back within limits of time.
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createProducer } from '#queue/producer.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { cleanup, openScene, type Scene, sharedRedis, toAdd, untilState, waiting } from './queue-fixture.ts';

const redis = await sharedRedis();
const forever = new AbortController().signal;
const CHILD = fileURLToPath(new URL('./consume-child.ts', import.meta.url));

/** A process that has taken the first job of the index and never finishes it. */
async function startTaker(
  t: TestContext,
  url: string,
  { indexId }: Scene,
  drainMs: number,
): Promise<ChildProcessByStdio<null, Readable, null>> {
  const args = [CHILD, url, indexId, String(drainMs)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanup(t).defer(() => {
    child.kill('SIGKILL');
  });
  await once(child.stdout, 'data');
  return child;
}

describe('Consumer.close', () => {
  test('finishes what fits, takes no more, and leaves what waits', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const gate = Promise.withResolvers<void>();
    const taken: string[] = [];
    const consumer = consume({
      async takeChunk(_, id) {
        taken.push(id);
        await gate.promise;
        return { kind: 'done', result: { by: 'the first' } };
      },
    });
    await createProducer(queues, 10).add(toAdd(['a', 'b']), forever);
    await untilState(queues, 'a', 'active');
    const closed = consumer.close(60_000);
    gate.resolve();
    await closed;
    assert.deepEqual(taken, ['a']);
    assert.deepEqual((await queues.chunks.getJob('a'))?.returnvalue, { by: 'the first' });
    assert.deepEqual([await queues.chunks.getJobState('a'), await waiting(queues)], ['completed', 1]);
  });

  test('gives back what does not fit: it is taken at once, as it was, and its first result is dropped', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const gate = Promise.withResolvers<void>();
    const slow = consume({
      concurrency: 2,
      async takeChunk(_, id) {
        if (id !== 'quick') await gate.promise;
        return { kind: 'done', result: { by: 'the first' } };
      },
    });
    await createProducer(queues, 10).add(toAdd(['quick', 'a', 'b']), forever);
    await untilState(queues, 'quick', 'completed');
    for (const id of ['a', 'b']) await untilState(queues, id, 'active');
    await slow.close(50);
    for (const id of ['a', 'b']) assert.equal(await queues.chunks.getJobState(id), 'prioritized');
    const { attemptsMade, data } = (await queues.chunks.getJob('a')) ?? {};
    assert.deepEqual([attemptsMade, data], [0, toAdd(['a'])[0]?.job]);
    gate.resolve();
    consume({ takeChunk: async () => ({ kind: 'done', result: { by: 'the next' } }) });
    for (const id of ['a', 'b']) {
      await untilState(queues, id, 'completed');
      assert.deepEqual((await queues.chunks.getJob(id))?.returnvalue, { by: 'the next' });
    }
  });

  test('gives a query back that does not fit', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const slow = consume({ answerQuery: () => new Promise(() => undefined) });
    const job = await queues.queries.add('search', { kind: 'search', text: 'a' }, { jobId: 'q' });
    await untilState({ ...queues, chunks: queues.queries }, 'q', 'active');
    await slow.close(0);
    assert.equal(await job.getState(), 'waiting');
    consume({ answerQuery: async () => ({ hits: 1 }) });
    await untilState({ ...queues, chunks: queues.queries }, 'q', 'completed');
  });

  // What it may take, and what a busy machine adds.
  const LONGEST_MS = 300 + 2000 + 3000;

  test('with a job in hand and Redis away, it ends in time and lets its process end; the job is given out again', {
    timeout: 60_000,
  }, async (t) => {
    const own = cleanup(t).use(await startTestRedis());
    const scene = await openScene(t, own);
    await createProducer(scene.queues, 10).add(toAdd(['a']), forever);
    const child = await startTaker(t, own.url, scene, 300);
    await own.kill9();
    const start = Date.now();
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await once(child.stdout, 'data');
    assert.ok(Date.now() - start < LONGEST_MS, `${Date.now() - start} ms`);
    assert.deepEqual(await exit, [0, null]);
    await own.start();
    scene.consume({ lockDurationMs: 500 });
    await untilState(scene.queues, 'a', 'completed');
  });

  test('with nothing to do and Redis away, it ends in time', async (t) => {
    const own = cleanup(t).use(await startTestRedis());
    const { consume } = await openScene(t, own);
    const consumer = consume();
    await own.kill9();
    const start = Date.now();
    await consumer.close(300);
    assert.ok(Date.now() - start < LONGEST_MS, `${Date.now() - start} ms`);
  });
});

describe('createConsumer', () => {
  test('a job of a process that was killed is given out again when its lock has ended', async (t) => {
    const scene = await openScene(t, redis);
    await createProducer(scene.queues, 10).add(toAdd(['a']), forever);
    const child = await startTaker(t, redis.url, scene, 0);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(await scene.queues.chunks.getJobState('a'), 'active');
    scene.consume({ lockDurationMs: 500, takeChunk: async () => ({ kind: 'done', result: { by: 'me' } }) });
    await untilState(scene.queues, 'a', 'completed');
    assert.deepEqual((await scene.queues.chunks.getJob('a'))?.returnvalue, { by: 'me' });
    assert.deepEqual(scene.troubles, ['Job "a" of a worker that stopped is given out again']);
  });

  test('a job stays with a handler that takes longer than its lock', async (t) => {
    const { queues, consume, troubles } = await openScene(t, redis);
    const gate = Promise.withResolvers<void>();
    let taken = 0;
    const handlers = {
      lockDurationMs: 400,
      async takeChunk() {
        taken++;
        await gate.promise;
        return { kind: 'done', result: {} } as const;
      },
    };
    consume(handlers);
    consume(handlers);
    await createProducer(queues, 10).add(toAdd(['long']), forever);
    await untilState(queues, 'long', 'active');
    // Three times as long as its lock; renewing it is what a timer of BullMQ does.
    setTimeout(gate.resolve, 1200);
    await untilState(queues, 'long', 'completed');
    assert.deepEqual([taken, troubles], [1, []]);
  });
});
