import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { parseChunkJob } from '#queue/job.ts';
import { cancelRuns } from '#runs/cancel.ts';
import { completeRun } from '#runs/complete.ts';
import type { Submitted } from '#runs/submit.ts';
import { collect } from '../pipeline/pipeline-fixture.ts';
import { captionItem, captionItems, result, sourceOf, startQueuedTests } from '../pipeline/queued-fixture.ts';

const begin = await startQueuedTests({ after });

function counts({ seen, chunks, added, isResumed, isWhole }: Submitted) {
  return { seen, chunks, added, isResumed, isWhole };
}

describe('submitSource', { timeout: 300_000 }, () => {
  test('every item is in one job, in the ledger and in Redis, and the run knows how many there are', async (t) => {
    const { store, generation, queues, submit, waiting } = await begin(t);
    const items = captionItems(0, 10);
    const submitted = await submit(sourceOf(items));
    const whole = { seen: 10, chunks: 3, added: 3, isResumed: false, isWhole: true };
    assert.deepEqual(counts(submitted), whole);
    const ids = await waiting();
    const jobs = await Promise.all(ids.map((id) => queues.chunks.getJob(id)));
    const data = jobs.map((job) => parseChunkJob(job?.data));
    assert.deepEqual(
      data.flatMap(({ items }) => items),
      items,
    );
    for (const { run, collection, generation: name } of data)
      assert.deepEqual([run, collection, name], [submitted.run, 'default', generation.name]);
    assert.deepEqual((await collect(store.ledger.ids(submitted.run))).sort(), ids.toSorted());
    const record = await store.runs.find(submitted.run);
    assert.deepEqual([record?.state, record?.submitted, record?.seen], ['running', true, 10]);
  });

  test('again while it is under way: the same run goes on, and nothing is added twice', async (t) => {
    const { store, submit, waiting } = await begin(t);
    const first = await submit(sourceOf(captionItems(0, 10)));
    const jobs = await waiting();
    const [done = ''] = jobs;
    await store.ledger.settle([result(first.run, done)]);
    const second = await submit(sourceOf(captionItems(0, 10)));
    assert.equal(second.run, first.run);
    assert.deepEqual(counts(second), { seen: 10, chunks: 3, added: 0, isResumed: true, isWhole: true });
    assert.deepEqual(await waiting(), jobs);
    const { chunks, items, stored } = await store.ledger.tally(first.run);
    assert.deepEqual([chunks, items, stored], [3, 10, 4], 'what was done is still done');
    assert.equal((await collect(store.runs.scan({ kind: 'queued' }))).length, 1);
  });

  test('a run whose source is read again does not end meanwhile', async (t) => {
    const { store, submit, waiting } = await begin(t);
    const { run } = await submit(sourceOf(captionItems(0, 4)));
    await store.ledger.settle((await waiting()).map((id) => result(run, id)));
    const states: (string | undefined)[] = [];
    const longer = sourceOf(captionItems(0, 8), async () => {
      states.push((await completeRun(store, run))?.state);
    });
    const again = await submit(longer);
    assert.deepEqual([again.run, again.seen, again.added], [run, 8, 1]);
    assert.deepEqual(new Set(states), new Set(['running']));
  });

  test('a run that is over, another source, collection or option is another run', async (t) => {
    const { store, submit } = await begin(t);
    const items = captionItems(0, 4);
    const first = await submit(sourceOf(items));
    const other = await submit({ ...sourceOf(items), uri: '/other.csv' });
    const retry = await submit(sourceOf(items), { retryFailed: true });
    const column = await submit(sourceOf(items), { options: { idColumn: 'key' } });
    const record = await store.runs.find(first.run);
    assert.ok(record);
    await store.runs.upsert({ ...record, state: 'complete' });
    const again = await submit(sourceOf(items));
    const runs = [first, other, retry, column, again];
    assert.equal(new Set(runs.map(({ run }) => run)).size, 5);
    for (const submitted of runs) assert.deepEqual([submitted.added, submitted.isResumed], [1, false]);
  });

  test('while another submission reads the same source, a run of its own: neither ends the other', async (t) => {
    const { store, submit } = await begin(t);
    const reading = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const slow = sourceOf(captionItems(0, 8), async (index) => {
      if (index < 7) return;
      reading.resolve();
      await goOn.promise;
    });
    const first = submit(slow);
    await reading.promise;
    const second = await submit(sourceOf(captionItems(0, 8)));
    goOn.resolve();
    const { run } = await first;
    assert.notEqual(second.run, run);
    for (const id of [run, second.run]) {
      const record = await store.runs.find(id);
      assert.deepEqual([record?.submitted, record?.seen, record?.owner], [true, 8, null]);
    }
  });

  test('a run that is cancelled while it is submitted ends the submission, and stays cancelled', async (t) => {
    const { store, submit } = await begin(t);
    const cancelling = sourceOf(captionItems(0, 8), async (index) => {
      if (index === 6) await cancelRuns(store);
    });
    const { run, isWhole } = await submit(cancelling);
    assert.equal(isWhole, false);
    assert.equal((await store.runs.find(run))?.state, 'cancelled');
  });

  test('a source that has changed: jobs of it that are no more are taken back, with their results', async (t) => {
    const { store, submit, waiting } = await begin(t);
    const first = await submit(sourceOf(captionItems(0, 16)));
    const [kept = '', settled = '', ...others] = await waiting();
    await store.ledger.settle([result(first.run, kept), result(first.run, settled)]);
    const changed = [...captionItems(0, 4), captionItem('new'), ...captionItems(5, 12)];
    const second = await submit(sourceOf(changed));
    assert.deepEqual([second.run, second.seen, second.added], [first.run, 12, 1]);
    const { chunks, items, stored } = await store.ledger.tally(first.run);
    assert.deepEqual([chunks, items, stored], [3, 12, 4]);
    assert.equal((await store.runs.find(first.run))?.seen, 12);
    const now = await waiting();
    assert.deepEqual(now.slice(0, 2), [kept, others[0]]);
    assert.equal(now.length, 3);
    assert.ok(!now.includes(settled) && !now.includes(others[1] ?? ''));
  });

  test('stopped in the middle: what was read is queued, the run is not whole, and the same call goes on', async (t) => {
    const { store, submit, waiting } = await begin(t);
    const stop = new AbortController();
    const items = captionItems(0, 1000);
    const source = sourceOf(items, (index) => {
      if (index === 600) stop.abort();
    });
    const first = await submit(source, { signal: stop.signal });
    assert.equal(first.isWhole, false);
    assert.ok(first.seen > 0 && first.seen <= 601, `${first.seen}`);
    const record = await store.runs.find(first.run);
    assert.deepEqual([record?.state, record?.submitted], ['running', false]);
    assert.equal((await waiting()).length, Math.ceil(first.seen / 4));
    const second = await submit(sourceOf(items));
    assert.deepEqual(
      [second.run, second.seen, second.chunks, second.isResumed, second.isWhole],
      [first.run, 1000, 250, true, true],
    );
    assert.equal(second.added, 250 - Math.floor(first.seen / 4), 'the last one, cut short, is another job');
    assert.equal((await waiting()).length, 250);
    assert.equal((await store.runs.find(first.run))?.submitted, true);
  });

  test('stopped while it waits for room: it ends, and what waits stays', async (t) => {
    const { submit, waiting } = await begin(t, { maxWaiting: 10 });
    const stop = new AbortController();
    const submitting = submit(sourceOf(captionItems(0, 1000)), { signal: stop.signal });
    // Asked from here: whoever waits for room reads nothing more of the source.
    while ((await waiting()).length < 10) await setTimeout(5);
    stop.abort();
    assert.equal((await submitting).isWhole, false);
    assert.equal((await waiting()).length, 10);
  });

  test('what the source throws is thrown, and the same call goes on', async (t) => {
    const { submit, waiting } = await begin(t);
    const items = captionItems(0, 400);
    const broken = sourceOf(items, (index) => {
      if (index === 300) throw new Error('the disk is gone');
    });
    await assert.rejects(submit(broken), /the disk is gone/);
    const queued = (await waiting()).length;
    assert.ok(queued > 0 && queued < 100, `${queued}`);
    const again = await submit(sourceOf(items));
    assert.deepEqual([again.seen, again.added, again.isResumed], [400, 100 - queued, true]);
  });

  test('urgent jobs go before normal ones, and those before bulk, whatever came first', async (t) => {
    const { store, submit, waiting } = await begin(t);
    const expected: string[] = [];
    for (const priority of ['bulk', 'normal', 'urgent'] as const) {
      const { run } = await submit(
        { ...sourceOf(captionItems(0, 4)), uri: `/${priority}.csv` },
        { priority },
      );
      expected.unshift(...(await collect(store.ledger.ids(run))));
    }
    assert.deepEqual(await waiting(), expected);
  });

  test('an empty source is a whole run of nothing', async (t) => {
    const { submit } = await begin(t);
    assert.deepEqual(counts(await submit(sourceOf([]))), {
      ...{ seen: 0, chunks: 0, added: 0 },
      ...{ isResumed: false, isWhole: true },
    });
  });

  test('onStart: how far it is can be asked on the way', async (t) => {
    const { submit } = await begin(t);
    let ask: (() => Submitted) | undefined;
    const seen: number[] = [];
    const source = sourceOf(captionItems(0, 400), () => void seen.push(ask?.().seen ?? -1));
    const { run } = await submit(source, {
      onStart: (progress) => {
        ask = progress;
      },
    });
    assert.equal(seen[0], 0);
    assert.ok(
      seen.some((count) => count > 0 && count < 400),
      seen.join(' '),
    );
    assert.equal(ask?.().run, run);
  });
});
