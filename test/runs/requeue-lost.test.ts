import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { bullOptions, CHUNKS } from '#queue/bull-queues.ts';
import { requeueLost } from '#runs/requeue-lost.ts';
import type { RunRecord } from '#store/contract.ts';
import { captionItems, type Queued, result, sourceOf, startQueuedTests } from '../pipeline/queued-fixture.ts';

const begin = await startQueuedTests({ after });
const { signal } = new AbortController();

async function recordOf({ store }: Queued, run: string): Promise<RunRecord> {
  const record = await store.runs.find(run);
  assert.ok(record);
  return record;
}

describe('requeueLost', { timeout: 300_000 }, () => {
  test('a Redis that forgot everything gets all that has no result, as it was and in its priority', async (t) => {
    const queued = await begin(t);
    const { store, producer, queues, waiting } = queued;
    const { run } = await queued.submit(sourceOf(captionItems(0, 2400)), { priority: 'bulk' });
    const before = await waiting();
    const jobs = await queues.chunks.getJobs(['prioritized'], 0, -1, true);
    const done = before.slice(0, 20);
    await store.ledger.settle(done.map((id) => result(run, id)));
    await queues.chunks.obliterate({ force: true });
    assert.equal((await requeueLost(store, producer, await recordOf(queued, run), signal)).lost, 580);
    assert.deepEqual((await waiting()).sort(), before.slice(20).sort());
    for (const job of jobs.slice(20, 30)) {
      const back = await queues.chunks.getJob(job.id ?? '');
      assert.deepEqual(back?.data, JSON.parse(JSON.stringify(job.data)));
      assert.equal(back?.opts.priority, job.opts.priority);
    }
  });

  test('nothing where Redis knows every job', async (t) => {
    const queued = await begin(t);
    const { store, producer, queues } = queued;
    const { run } = await queued.submit(sourceOf(captionItems(0, 8)));
    assert.equal((await requeueLost(store, producer, await recordOf(queued, run), signal)).lost, 0);
    assert.equal(await queues.chunks.getPrioritizedCount(), 2);
  });

  test('a job that is done in Redis while the ledger has no result of it is done again', async (t) => {
    const queued = await begin(t);
    const { store, producer, queues } = queued;
    const { run } = await queued.submit(sourceOf(captionItems(0, 8)));
    const worker = new Worker(CHUNKS, async () => ({}), bullOptions(queues.client, store.id));
    while ((await queues.chunks.getCompletedCount()) < 2) await setTimeout(10);
    await worker.close();
    assert.equal((await requeueLost(store, producer, await recordOf(queued, run), signal)).lost, 2);
    assert.equal(await queues.chunks.getPrioritizedCount(), 2);
  });

  test('waits for room, and ends when it is told to', async (t) => {
    const queued = await begin(t, { maxWaiting: 5 });
    const { store, producer, queues } = queued;
    const stop = new AbortController();
    const { run } = await queued.submit(sourceOf(captionItems(0, 16)));
    const ids = await queued.waiting();
    for (const id of ids) await queues.chunks.remove(id);
    for (let n = 0; n < 5; n++) await queues.chunks.add('chunk', {}, { jobId: `x${n}`, priority: 2 });
    const asked = Promise.withResolvers<void>();
    const watched = {
      ...producer,
      add: (...args: Parameters<typeof producer.add>) => {
        asked.resolve();
        return producer.add(...args);
      },
    };
    const putting = requeueLost(store, watched, await recordOf(queued, run), stop.signal);
    await asked.promise;
    stop.abort();
    await assert.rejects(putting, { name: 'AbortError' });
    assert.equal(await queues.chunks.getPrioritizedCount(), 5);
  });
});
