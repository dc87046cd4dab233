import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { cancelRuns } from '#runs/cancel.ts';
import { completeRun } from '#runs/complete.ts';
import { runRecord } from '../engine/engine-fixture.ts';
import { collect } from '../pipeline/pipeline-fixture.ts';
import { captionItems, result, sourceOf, startQueuedTests } from '../pipeline/queued-fixture.ts';

const begin = await startQueuedTests({ after });

test('cancelRuns ends every queued run that is under way, with what it has done, and no other', async (t) => {
  const { store, generation, submit, waiting } = await begin(t);
  const { run } = await submit(sourceOf(captionItems(0, 12)));
  const [done = ''] = await waiting();
  await store.ledger.settle([result(run, done, { stored: 3, failed: 1 })]);
  const over = runRecord(generation, { id: 'over', state: 'complete', stored: 7 });
  const direct = runRecord(generation, { id: 'direct', kind: 'direct' });
  await store.runs.upsert(over);
  await store.runs.upsert(direct);
  const [cancelled, ...others] = await cancelRuns(store);
  assert.deepEqual(others, []);
  const { id, state, seen, stored, failed } = cancelled ?? over;
  assert.deepEqual([id, state, seen, stored, failed], [run, 'cancelled', 12, 3, 1]);
  assert.deepEqual(await store.runs.find(run), cancelled);
  assert.deepEqual(await collect(store.ledger.ids(run)), []);
  assert.deepEqual(await store.runs.find('over'), over);
  assert.deepEqual(await store.runs.find('direct'), direct);
  assert.equal((await completeRun(store, run))?.state, 'cancelled', 'it stays so');
});

test('a source whose run was cancelled is submitted as another run, all of it', async (t) => {
  const { store, producer, submit, waiting } = await begin(t);
  const first = await submit(sourceOf(captionItems(0, 12)));
  await cancelRuns(store);
  await producer.remove(await waiting());
  const second = await submit(sourceOf(captionItems(0, 12)));
  assert.notEqual(second.run, first.run);
  assert.deepEqual([second.added, second.isResumed], [3, false]);
  assert.deepEqual(await cancelRuns(store).then((runs) => runs.map(({ id }) => id)), [second.run]);
  assert.deepEqual(await cancelRuns(store), []);
});
