import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
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

describe('Producer.add', () => {
  test('a job is in Redis as it was given, under its id, with its priority', async (t) => {
    const { queues } = await openScene(t, redis);
    const producer = createProducer(queues, 10);
    const job = chunkJob('é "1"', { run: 'r', generation: 'g' });
    assert.equal(await producer.add([{ id: 'one', priority: 'urgent', job }], forever), 1);
    const [found] = await queues.chunks.getJobs(['prioritized']);
    assert.deepEqual([found?.id, found?.name, found?.data, found?.priority], ['one', 'chunk', job, 1]);
  });

  test('what waits, is worked on or failed is not added again; what is done is, for who has lost its result', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const producer = createProducer(queues, 10);
    assert.equal(await producer.add(toAdd(['good', 'bad']), forever), 2);
    const gate = Promise.withResolvers<void>();
    consume({
      async takeChunk(_, id) {
        if (id === 'bad') throw new Error('no');
        if (id === 'busy') await gate.promise;
        return { kind: 'done', result: {} };
      },
    });
    await untilState(queues, 'good', 'completed');
    await untilState(queues, 'bad', 'failed');
    assert.equal(await producer.add(toAdd(['busy']), forever), 1);
    await untilState(queues, 'busy', 'active');
    assert.equal(await producer.add(toAdd(['waits']), forever), 1);
    assert.equal(await producer.add(toAdd(['good', 'bad', 'busy', 'waits', 'new']), forever), 2);
    assert.equal(await waiting(queues), 3);
    gate.resolve();
    await untilState(queues, 'new', 'completed');
  });

  test('the same id twice in one call is one job', async (t) => {
    const { queues } = await openScene(t, redis);
    assert.equal(await createProducer(queues, 10).add(toAdd(['a', 'b', 'a']), forever), 2);
    assert.equal(await waiting(queues), 2);
  });

  test('never more wait than may, and every job is taken', { timeout: 60_000 }, async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const most = 5;
    const seen: number[] = [];
    const taken: string[] = [];
    consume({
      async takeChunk(_, id) {
        seen.push(await waiting(queues));
        taken.push(id);
        return { kind: 'done', result: {} };
      },
    });
    const ids = names(40);
    assert.equal(await createProducer(queues, most).add(toAdd(ids), forever), 40);
    await until(
      () => taken.length,
      (length) => length === 40,
    );
    assert.deepEqual(taken, ids);
    assert.ok(Math.max(...seen) <= most, `${seen}`);
  });

  test('waits for room as long as there is none, also for those that are tried again later', async (t) => {
    const { queues } = await openScene(t, redis);
    const producer = createProducer(queues, 3);
    await queues.chunks.add('chunk', chunkJob('later'), { jobId: 'later', delay: 3_600_000 });
    let added = false;
    const adding = producer.add(toAdd(names(4)), forever).then((count) => {
      added = true;
      return count;
    });
    const looks = { count: 0 };
    // As often as a producer that does not wait would have gone on.
    await until(
      async () => (await waiting(queues)) === 3 && looks.count++,
      (times) => times !== false && times > 30,
    );
    assert.deepEqual([added, await waiting(queues)], [false, 3]);
    await producer.remove(['later', 'chunk-0000']);
    assert.equal(await adding, 4);
    assert.deepEqual([...(await producer.find(names(4))).keys()], ['chunk-0001', 'chunk-0002', 'chunk-0003']);
  });

  test('its wait ends when it is aborted, with what there was room for added', async (t) => {
    const { queues } = await openScene(t, redis);
    const producer = createProducer(queues, 2);
    const abort = new AbortController();
    const adding = producer.add(toAdd(names(5)), abort.signal);
    await until(
      () => waiting(queues),
      (count) => count === 2,
    );
    abort.abort();
    await assert.rejects(adding, { name: 'AbortError' });
    assert.equal(await waiting(queues), 2);
  });
});

describe('Producer.find', () => {
  test('gives those that are not completed, in the order of the question, and why one has failed', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const producer = createProducer(queues, 10);
    await producer.add(toAdd(['a', 'b', 'bad']), forever);
    assert.deepEqual(
      [...(await producer.find(['x', 'b', 'y', 'a']))],
      [
        ['b', null],
        ['a', null],
      ],
    );
    assert.deepEqual(await producer.find([]), new Map());
    consume({
      async takeChunk(_, id) {
        if (id === 'bad') throw new Error('no good');
        return { kind: 'done', result: {} };
      },
    });
    await untilState(queues, 'a', 'completed');
    await untilState(queues, 'b', 'completed');
    await untilState(queues, 'bad', 'failed');
    assert.deepEqual(await producer.find(['a', 'b', 'bad']), new Map([['bad', 'no good']]));
  });
});

describe('Producer.remove', () => {
  test('takes back what waits, and leaves what is worked on', async (t) => {
    const { queues, consume } = await openScene(t, redis);
    const producer = createProducer(queues, 10);
    await producer.add(toAdd(['busy', 'waits', 'stays']), forever);
    const gate = Promise.withResolvers<void>();
    consume({
      async takeChunk() {
        await gate.promise;
        return { kind: 'done', result: {} };
      },
    });
    await untilState(queues, 'busy', 'active');
    await producer.remove(['busy', 'waits', 'unknown']);
    assert.deepEqual([...(await producer.find(['busy', 'waits', 'stays'])).keys()], ['busy', 'stays']);
    gate.resolve();
    await untilState(queues, 'busy', 'completed');
    await untilState(queues, 'stays', 'completed');
  });
});
