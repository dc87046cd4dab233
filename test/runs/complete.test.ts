import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { completeRun } from '#runs/complete.ts';
import { createFailedSource } from '#runs/failed-source.ts';
import { collect } from '../pipeline/pipeline-fixture.ts';
import { captionItems, type Queued, result, sourceOf, startQueuedTests } from '../pipeline/queued-fixture.ts';
import { failureRecord, generationSpec } from '../store/lance/store-fixture.ts';

const begin = await startQueuedTests({ after });

/** Settles every chunk of a run as stored. */
async function settleAll({ store }: Queued, run: string): Promise<void> {
  const ids = await collect(store.ledger.ids(run));
  await store.ledger.settle(ids.map((id) => result(run, id)));
}

describe('completeRun', { timeout: 300_000 }, () => {
  test('complete only when every item seen is stored, skipped or failed', async (t) => {
    const queued = await begin(t);
    const { store } = queued;
    const { run } = await queued.submit(sourceOf(captionItems(0, 12)));
    const [a = '', b = '', c = ''] = await collect(store.ledger.ids(run));
    const changes = [{}, { stored: 1, failed: 3 }, { stored: 0, skipped: 4 }];
    for (const [i, id] of [a, b, c].entries()) {
      assert.equal((await completeRun(store, run))?.state, 'running', `${i} of 3 chunks are done`);
      await store.ledger.settle([result(run, id, changes[i])]);
    }
    const record = await completeRun(store, run);
    assert.deepEqual(
      [record?.state, record?.seen, record?.stored, record?.skipped, record?.failed],
      ['complete', 12, 5, 4, 3],
    );
    assert.ok(record?.endedAt);
    assert.deepEqual(await store.runs.find(run), record);
    assert.equal((await store.ledger.tally(run)).chunks, 0, 'its part of the ledger is gone');
    assert.deepEqual(await completeRun(store, run), record, 'once is all');
  });

  test('a result that does not cover its chunk, or a source still being read, leaves it running', async (t) => {
    const queued = await begin(t);
    const { store } = queued;
    const { run } = await queued.submit(sourceOf(captionItems(0, 4)));
    const [id = ''] = await collect(store.ledger.ids(run));
    await store.ledger.settle([result(run, id, { stored: 3 })]);
    assert.equal((await completeRun(store, run))?.state, 'running');

    const stop = new AbortController();
    const source = { ...sourceOf(captionItems(0, 400), (i) => void (i === 200 && stop.abort())), uri: '/b' };
    const half = await queued.submit(source, { signal: stop.signal });
    await settleAll(queued, half.run);
    assert.equal((await completeRun(store, half.run))?.state, 'running');

    // Read again: all that was seen before is done, and there may be more.
    const { run: again } = await queued.submit({ ...sourceOf(captionItems(0, 4)), uri: '/c' });
    await settleAll(queued, again);
    const reading = await store.runs.find(again);
    assert.ok(reading);
    await store.runs.upsert({ ...reading, submitted: false });
    assert.equal((await completeRun(store, again))?.state, 'running');
  });

  test('of several that end a run at once, all find it complete, with the same counts', async (t) => {
    const queued = await begin(t);
    const { run } = await queued.submit(sourceOf(captionItems(0, 8)));
    await settleAll(queued, run);
    await Promise.all([1, 2, 3].map(() => completeRun(queued.store, run)));
    const record = await queued.store.runs.find(run);
    assert.deepEqual([record?.state, record?.seen, record?.stored], ['complete', 8, 8]);
  });

  test('a new model serves from then on, and not before', async (t) => {
    const queued = await begin(t);
    const { store } = queued;
    const changes = { fingerprint: 'f'.repeat(32), modelPath: '/models/new', modelName: 'new' };
    const newer = (await store.openGeneration(generationSpec(changes))).record;
    const { run } = await queued.submit(sourceOf(captionItems(0, 4)), { generation: newer });
    assert.equal((await store.activeGeneration('default'))?.name, queued.generation.name);
    await settleAll(queued, run);
    await completeRun(store, run);
    assert.equal((await store.activeGeneration('default'))?.name, newer.name);
  });

  test('failures that earlier runs over the source listed and this one did not meet are gone', async (t) => {
    const queued = await begin(t);
    const { store } = queued;
    const first = await queued.submit(sourceOf(captionItems(0, 4)));
    await settleAll(queued, first.run);
    await completeRun(store, first.run);
    const other = await queued.submit({ ...sourceOf(captionItems(0, 4)), uri: '/other.csv' });
    const second = await queued.submit(sourceOf(captionItems(0, 4)));
    await store.failures.upsert([
      failureRecord('mended', { run: first.run }),
      failureRecord('still', { run: second.run }),
      failureRecord('elsewhere', { run: other.run }),
    ]);
    await settleAll(queued, second.run);
    await completeRun(store, second.run);
    const left = (await collect(store.failures.scan())).map(({ id }) => id);
    assert.deepEqual(left.sort(), ['elsewhere', 'still']);
  });

  test('a run over what had failed takes no other failure away', async (t) => {
    const queued = await begin(t);
    const { store } = queued;
    const source = createFailedSource(store, 'default');
    const item = JSON.stringify(captionItems(0, 1)[0]);
    await store.failures.upsert([failureRecord('c0', { kind: 'caption', item })]);
    const first = await queued.submit(source, { retryFailed: true });
    await store.failures.upsert([failureRecord('c0', { kind: 'caption', item, run: first.run })]);
    for (const id of await collect(store.ledger.ids(first.run)))
      await store.ledger.settle([result(first.run, id, { stored: 0, failed: 1 })]);
    assert.equal((await completeRun(store, first.run))?.state, 'complete');
    const second = await queued.submit(source, { retryFailed: true });
    for (const id of await collect(store.ledger.ids(second.run)))
      await store.ledger.settle([result(second.run, id, { stored: 0, failed: 1 })]);
    await completeRun(store, second.run);
    assert.equal(await store.failures.count(), 1);
  });

  test('no run of this id: undefined', async (t) => {
    assert.equal(await completeRun((await begin(t)).store, 'nobody'), undefined);
  });
});
