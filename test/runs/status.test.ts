import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { runStatus } from '#runs/status.ts';
import type { RunRecord } from '#store/contract.ts';
import { chunkResult, runRecord } from '../engine/engine-fixture.ts';
import { generationSpec, temporaryStore } from '../store/lance/store-fixture.ts';

/** A run that began so many seconds ago, of ten chunks of a hundred items. */
async function begin(t: TestContext, seconds: number, changes: Partial<RunRecord> = {}) {
  const store = await temporaryStore(t);
  const now = new Date();
  const startedAt = new Date(now.getTime() - seconds * 1000);
  const generation = (await store.openGeneration(generationSpec())).record;
  const record = runRecord(generation, { startedAt, seen: 1000, ...changes });
  await store.runs.upsert(record);
  const chunks = Array.from({ length: 10 }, (_, n) => `c${n}`);
  await store.ledger.addChunks(
    chunks.map((id) => ({ run: 'r', id, items: 100, data: '{}', priority: 'normal' })),
  );
  return {
    settle: (chunk: number, ago: number, counts: object) => {
      const at = new Date(now.getTime() - ago * 1000);
      return store.ledger.settle([chunkResult(`c${chunk}`, { stored: 0, at, ...counts })]);
    },
    ask: () => runStatus(store, record, now),
  };
}

describe('runStatus', { timeout: 300_000 }, () => {
  test('before anything is done: all waits, at no rate, with no time left to tell', async (t) => {
    const { ask } = await begin(t, 5);
    const { seen, stored, skipped, failed, waiting, rate, secondsLeft } = await ask();
    assert.deepEqual([seen, stored, skipped, failed, waiting], [1000, 0, 0, 0, 1000]);
    assert.deepEqual([rate, secondsLeft], [0, undefined]);
  });

  test('every item seen is stored, skipped, failed or waiting', async (t) => {
    const { settle, ask } = await begin(t, 20);
    await settle(0, 1, { stored: 90, skipped: 6, failed: 4 });
    await settle(1, 1, { stored: 100 });
    const { seen, stored, skipped, failed, waiting } = await ask();
    assert.deepEqual([seen, stored, skipped, failed, waiting], [1000, 190, 6, 4, 800]);
  });

  test('the rate is that since the start, and the time left follows from it', async (t) => {
    const { settle, ask } = await begin(t, 20);
    await settle(0, 10, { stored: 100 });
    await settle(1, 3, { failed: 100 });
    const { rate, secondsLeft } = await ask();
    assert.deepEqual([rate, secondsLeft], [10, 80]);
  });

  test('the rate of a long run is that of the last minute', async (t) => {
    const { settle, ask } = await begin(t, 3600);
    for (const chunk of [0, 1, 2]) await settle(chunk, 3000, { stored: 100 });
    for (const chunk of [3, 4, 5]) await settle(chunk, 30, { stored: 100 });
    const { rate, secondsLeft } = await ask();
    assert.deepEqual([rate, secondsLeft], [5, 80]);
  });

  test('a source that is still being read: a rate, and no time left', async (t) => {
    const { settle, ask } = await begin(t, 10, { submitted: false });
    await settle(0, 1, { stored: 100 });
    const { rate, secondsLeft } = await ask();
    assert.deepEqual([rate, secondsLeft], [10, undefined]);
  });

  for (const changes of [{ state: 'complete' }, { state: 'cancelled' }, { kind: 'direct' }] as const) {
    test(`a run of ${Object.values(changes)[0]}: what its record says, and nothing waits`, async (t) => {
      const { ask } = await begin(t, 10, { ...changes, stored: 600, skipped: 300, failed: 100 });
      const { seen, stored, skipped, failed, waiting, rate } = await ask();
      assert.deepEqual([seen, stored, skipped, failed, waiting, rate], [1000, 600, 300, 100, 0, 0]);
    });
  }
});
