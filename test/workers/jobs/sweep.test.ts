// Runs alone: it measures.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { startSweeper } from '#workers/jobs/sweep.ts';
import { keptLog } from '../../engine/engine-fixture.ts';
import { collect } from '../../pipeline/pipeline-fixture.ts';
import { captionItems, result, sourceOf, startQueuedTests } from '../../pipeline/queued-fixture.ts';

const begin = await startQueuedTests({ after });

describe('startSweeper', { timeout: 300_000 }, () => {
  test('puts back at once what Redis forgot, and says how much', async (t) => {
    const { store, producer, queues, submit, waiting } = await begin(t);
    const { run } = await submit(sourceOf(captionItems(0, 20)));
    const before = await waiting();
    const [done = '', kept = '', ...forgotten] = before;
    await store.ledger.settle([result(run, done)]);
    for (const id of [done, ...forgotten]) await queues.chunks.remove(id);
    assert.deepEqual(await waiting(), [kept]);
    const { log, until } = keptLog();
    await using _ = startSweeper({ store, producer, log });
    const line = await until('put back');
    assert.deepEqual([line.run, line.chunks], [run, 3]);
    assert.deepEqual((await waiting()).sort(), [kept, ...forgotten].sort());
  });

  test('ends a run that was done while no worker ran', async (t) => {
    const { store, producer, submit } = await begin(t);
    const { run } = await submit(sourceOf(captionItems(0, 8)));
    await store.ledger.settle((await collect(store.ledger.ids(run))).map((id) => result(run, id)));
    const kept = keptLog();
    await using _ = startSweeper({ store, producer, log: kept.log });
    const { run: said, seen, stored, failed } = await kept.until('run complete');
    assert.deepEqual([said, seen, stored, failed], [run, 8, 8, 0]);
    assert.equal((await store.runs.find(run))?.state, 'complete');
  });

  test('look: a run ends with its last chunk, long before the next sweep', async (t) => {
    const { store, producer, submit } = await begin(t);
    const { run } = await submit(sourceOf(captionItems(0, 8)));
    const kept = keptLog();
    await using sweeper = startSweeper({ store, producer, log: kept.log });
    const [first = '', last = ''] = await collect(store.ledger.ids(run));
    await store.ledger.settle([result(run, first)]);
    sweeper.look(run);
    await store.ledger.settle([result(run, last)]);
    const start = performance.now();
    sweeper.look(run);
    await kept.until('run complete');
    assert.ok(performance.now() - start < 5000, 'it waited for the sweep after ten seconds');
  });

  test('what goes wrong is logged, and the next look works', async (t) => {
    const { store, producer, submit } = await begin(t);
    const { run } = await submit(sourceOf(captionItems(0, 4)));
    const [id = ''] = await collect(store.ledger.ids(run));
    await store.ledger.settle([result(run, id)]);
    let broken = true;
    const runs = {
      ...store.runs,
      find: (id: string) => (broken ? Promise.reject(new Error('no disk')) : store.runs.find(id)),
    };
    const kept = keptLog();
    await using sweeper = startSweeper({ store: { ...store, runs }, producer, log: kept.log });
    const { err } = await kept.until('it is tried again');
    assert.equal((err as Error).message, 'no disk');
    assert.equal((await store.runs.find(run))?.state, 'running');
    broken = false;
    sweeper.look(run);
    await kept.until('run complete');
  });

  test('disposed of, it is over: a producer that waits for room does not hold it', async (t) => {
    const { store, producer, queues, submit, waiting } = await begin(t, { maxWaiting: 2 });
    await submit(sourceOf(captionItems(0, 8)));
    const forgotten = await waiting();
    for (const id of forgotten) await queues.chunks.remove(id);
    // Others take all the room.
    for (const name of ['x', 'y']) await queues.chunks.add('chunk', {}, { jobId: name, priority: 2 });
    const kept = keptLog();
    const asked = Promise.withResolvers<void>();
    const watched = {
      ...producer,
      add: (...args: Parameters<typeof producer.add>) => {
        asked.resolve();
        return producer.add(...args);
      },
    };
    const sweeper = startSweeper({ store, producer: watched, log: kept.log });
    await asked.promise;
    await sweeper[Symbol.asyncDispose]();
    assert.deepEqual((await waiting()).sort(), ['x', 'y']);
    assert.deepEqual(kept.lines, []);
  });
});
