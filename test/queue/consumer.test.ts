import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import type { ChunkOutcome } from '#queue/consumer.ts';
import type { ChunkJob } from '#queue/job.ts';
import { createProducer } from '#queue/producer.ts';
import { createQueryClient } from '#queue/query-client.ts';
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
const DONE: ChunkOutcome = { kind: 'done', result: {} };

describe('a chunk job', () => {
  test('that is done has its result and its progress in fields of BullMQ', async (t) => {
    const { queues, consume, troubles } = await openScene(t, redis);
    const given: [ChunkJob, string][] = [];
    let during: unknown;
    consume({
      async takeChunk(job, id) {
        given.push([job, id]);
        during = (await queues.chunks.getJob(id))?.progress;
        return { kind: 'done', result: { stored: 1 } };
      },
    });
    await createProducer(queues, 10).add(toAdd(['a']), forever);
    await untilState(queues, 'a', 'completed');
    assert.deepEqual(given, [[chunkJob('a'), 'a']]);
    assert.deepEqual(during, { items: 1, attempt: 1 });
    const job = await queues.chunks.getJob('a');
    assert.deepEqual([job?.returnvalue, job?.progress], [{ stored: 1 }, { items: 1, stored: 1 }]);
    assert.deepEqual(troubles, []);
  });

  test('that is to be tried again waits so long, with its new data and the reason', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const next = chunkJob('b', { attempt: 2, tally: { stored: 5, skipped: 0, failed: 1 } });
    const given: ChunkJob[] = [];
    const before = Date.now();
    const later = consume({
      async takeChunk(job) {
        given.push(job);
        return { kind: 'again', job: next, delayMs: 3_600_000, reason: 'it is not there yet' };
      },
    });
    await createProducer(queues, 10).add(toAdd(['a']), forever);
    await untilState(queues, 'a', 'delayed');
    const job = await queues.chunks.getJob('a');
    assert.deepEqual(job?.progress, { items: 1, waits: 'it is not there yet' });
    assert.ok(job && job.delay > 3_590_000 && job.delay <= 3_600_000, `${job?.delay}`);
    assert.ok(Date.now() - before < 60_000);
    await later.close(1000);
    consume({
      async takeChunk(job) {
        given.push(job);
        return DONE;
      },
    });
    await job.promote();
    await untilState(queues, 'a', 'completed');
    assert.deepEqual(given, [chunkJob('a'), next]);
  });

  test('that is to be tried again in a moment is, and again, however often', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    let attempts = 0;
    consume({
      async takeChunk(job) {
        attempts++;
        return job.attempt === 8 ? DONE : again(job, 1);
      },
    });
    await createProducer(queues, 10).add(toAdd(['a']), forever);
    await untilState(queues, 'a', 'completed');
    assert.equal(attempts, 8);
  });

  test('whose handler throws fails with the message and the code, and the next one is taken', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    consume({
      async takeChunk(_, id) {
        if (id === 'plain') throw new Error('out of order');
        if (id === 'known') throw new VlmoError('JOB_INVALID', 'Cannot take it');
        return DONE;
      },
    });
    await createProducer(queues, 10).add(toAdd(['plain', 'known', 'good']), forever);
    await untilState(queues, 'good', 'completed');
    const reasons = [];
    for (const id of ['plain', 'known']) reasons.push((await queues.chunks.getJob(id))?.failedReason);
    assert.deepEqual(reasons, ['out of order', 'Cannot take it [JOB_INVALID]']);
  });

  test('that is malformed fails at once whatever attempts it has, told by what is wrong; others go on', async (t) => {
    const { queues, consume, troubles } = await openScene(t, redis);
    const taken: string[] = [];
    consume({
      async takeChunk(_, id) {
        taken.push(id);
        return DONE;
      },
    });
    const malformed = { items: [{ kind: 'video', id: 'a' }] };
    await queues.chunks.add('chunk', malformed, { jobId: 'malformed', attempts: 5, backoff: 1 });
    await queues.chunks.add('any name', chunkJob('good'), { jobId: 'good' });
    await untilState(queues, 'good', 'completed');
    const job = await queues.chunks.getJob('malformed');
    const said = `expected "items.0.kind" to be right ('image' | 'caption' | 'broken'), received "video"`;
    assert.deepEqual([await job?.getState(), job?.attemptsMade], ['failed', 1]);
    assert.equal(job?.failedReason, `Cannot take job: ${said} [JOB_INVALID]`);
    assert.deepEqual(taken, ['good']);
    assert.deepEqual(troubles, [`Job "malformed" is refused: Cannot take job: ${said}`]);
  });

  test('that is urgent goes before normal, that before bulk; each kind in the order it came', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const { add } = createProducer(queues, 100);
    for (const n of [1, 2])
      for (const priority of ['bulk', 'normal', 'urgent'])
        await add(toAdd([`${priority} ${n}`], priority), forever);
    const taken: string[] = [];
    consume({
      async takeChunk(_, id) {
        taken.push(id);
        return DONE;
      },
    });
    await untilState(queues, 'bulk 2', 'completed');
    assert.deepEqual(taken, ['urgent 1', 'urgent 2', 'normal 1', 'normal 2', 'bulk 1', 'bulk 2']);
  });

  test('as many are worked on at a time as is said', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const gate = Promise.withResolvers<void>();
    let [now, most] = [0, 0];
    consume({
      concurrency: 3,
      async takeChunk() {
        most = Math.max(most, ++now);
        await gate.promise;
        now--;
        return DONE;
      },
    });
    await createProducer(queues, 10).add(toAdd(names(7)), forever);
    await until(
      () => now,
      (count) => count === 3,
    );
    gate.resolve();
    for (const id of names(7)) await untilState(queues, id, 'completed');
    assert.equal(most, 3);
  });

  test('of another index is not taken', async (t) => {
    const [one, other] = [await openScene(t, redis), await openScene(t, redis)];
    await createProducer(other.queues, 10).add(toAdd(['other']), forever);
    await createProducer(one.queues, 10).add(toAdd(['one']), forever);
    one.consume();
    await untilState(one.queues, 'one', 'completed');
    assert.equal(await waiting(other.queues), 1);
  });
});

describe('a query', () => {
  test('is answered while every chunk handler is busy and chunks wait', async (t) => {
    const { client, indexId, queues, consume } = await openScene(t, redis);
    const gate = Promise.withResolvers<void>();
    consume({
      concurrency: 2,
      async takeChunk() {
        await gate.promise;
        return DONE;
      },
      answerQuery: async () => ({ embeddings: [[1]] }),
    });
    await createProducer(queues, 100).add(toAdd(names(20), 'urgent'), forever);
    await until(
      () => queues.chunks.getActiveCount(),
      (count) => count === 2,
    );
    await using asker = await createQueryClient(client, indexId);
    assert.deepEqual(await asker.query({ kind: 'embed', texts: ['a'] }), { embeddings: [[1]] });
    assert.deepEqual([await queues.chunks.getActiveCount(), await waiting(queues)], [2, 18]);
    gate.resolve();
  });

  test('for which nobody waits any more is not answered', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const asked: string[] = [];
    const query = { kind: 'search', text: 'late', timeoutMs: 1000 };
    const late = await queues.queries.add('search', query, { timestamp: Date.now() - 1100 });
    const timely = await queues.queries.add('search', { ...query, text: 'timely', timeoutMs: 60_000 });
    consume({
      async answerQuery(found) {
        if (found.kind === 'search') asked.push(found.text ?? '');
        return {};
      },
    });
    for (const job of [late, timely])
      await until(
        () => job.getState(),
        (state) => state === 'completed' || state === 'failed',
      );
    const reason = (await queues.queries.getJob(late.id ?? ''))?.failedReason;
    assert.deepEqual([asked, await late.getState()], [['timely'], 'failed']);
    assert.equal(reason, 'Nobody waits for the answer any more [QUERY_TIMEOUT]');
  });
});

function again(job: ChunkJob, delayMs: number): ChunkOutcome {
  return { kind: 'again', job: { ...job, attempt: (job.attempt ?? 1) + 1 }, delayMs, reason: 'again' };
}
