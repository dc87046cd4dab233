import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Engine, EngineDied } from '#engine/engine.ts';
import { type ErrorCode, VlmoError } from '#errors.ts';
import type { ChunkTally } from '#pipeline/index-chunk.ts';
import { parseChunkJob } from '#queue/job.ts';
import type { Item } from '#sources/item.ts';
import type { KindCount } from '#store/contract.ts';
import { NO_KINDS } from '#store/kind-counts.ts';
import { createChunkHandler } from '#workers/jobs/take-chunk.ts';
import { allStored, caption, keptLog, runRecord, scriptedEngine } from '../../engine/engine-fixture.ts';
import { collect } from '../../pipeline/pipeline-fixture.ts';
import { closeAfter, generationSpec, temporaryStore } from '../../store/lance/store-fixture.ts';

const ITEMS = ['a', 'b', 'c'].map((id) => caption(id));

/** A handler over a real store with one run of one chunk "j", and an engine that does as it is told. */
async function begin(t: TestContext, engine: Engine) {
  const store = await temporaryStore(t);
  const generation = (await store.openGeneration(generationSpec())).record;
  closeAfter(t, engine);
  await store.runs.upsert(runRecord(generation, { seen: 3 }));
  await store.ledger.addChunks([{ run: 'r', id: 'j', items: 3, data: '{}', priority: 'normal' }]);
  const kept = keptLog();
  const settled: string[] = [];
  const take = createChunkHandler({ store, engine, log: kept.log, onSettled: (run) => settled.push(run) });
  return { store, generation, take, kept, settled };
}

function job(changes: object = {}) {
  return parseChunkJob({ run: 'r', items: ITEMS, ...changes });
}

function storing(): Engine & { readonly calls: readonly string[] } {
  return scriptedEngine({ index: async ({ items }) => allStored(items) });
}

/** An engine in which these items fail, as often as they are tried. */
function failing(codes: Readonly<Record<string, ErrorCode>>): Engine {
  const attempts = new Map<string, number>();
  return scriptedEngine({
    async index({ items }): Promise<ChunkTally> {
      const failures = items.flatMap((item: Item) => {
        const code = codes[item.id];
        if (code === undefined) return [];
        attempts.set(item.id, (attempts.get(item.id) ?? 0) + 1);
        return [{ item, error: { code, message: `no ${item.id}` }, attempts: attempts.get(item.id) ?? 0 }];
      });
      const counts = { stored: items.length - failures.length, skipped: 0, failed: failures.length };
      return { ...counts, kinds: { ...NO_KINDS, captions: counts }, failures };
    },
  });
}

/** Counts of a chunk that holds captions alone. */
function ofCaptions(counts: KindCount) {
  return { ...counts, kinds: { ...NO_KINDS, captions: counts } };
}

describe('createChunkHandler', { timeout: 300_000 }, () => {
  test('a chunk that is done: its result is in the ledger, its run is looked at, and the log has both ids', async (t) => {
    const { store, take, kept, settled } = await begin(t, storing());
    const result = ofCaptions({ stored: 3, skipped: 0, failed: 0 });
    assert.deepEqual(await take(job(), 'j'), { kind: 'done', result });
    assert.deepEqual(await collect(store.ledger.unsettled('r')), []);
    assert.equal((await store.ledger.tally('r')).stored, 3);
    assert.deepEqual(settled, ['r']);
    const { run, job: id, stored } = await kept.until('chunk done');
    assert.deepEqual([run, id, stored], ['r', 'j', 3]);
  });

  test('items that may do better later are tried again with back-off, alone, until their attempts are used up', async (t) => {
    const { store, take, kept, settled } = await begin(
      t,
      failing({ a: 'ITEM_UNREADABLE', b: 'IMAGE_INVALID' }),
    );
    const delays: number[] = [];
    let next = job();
    let outcome = await take(next, 'j');
    while (outcome.kind === 'again') {
      delays.push(outcome.delayMs);
      next = parseChunkJob(JSON.parse(JSON.stringify(outcome.job)));
      assert.deepEqual([next.items, next.attempt], [[ITEMS[0]], delays.length + 1]);
      assert.deepEqual(next.tally, ofCaptions({ stored: 1, skipped: 0, failed: 1 }));
      assert.deepEqual(await collect(store.ledger.unsettled('r')), ['j']);
      outcome = await take(next, 'j');
    }
    assert.deepEqual(outcome.result, ofCaptions({ stored: 1, skipped: 0, failed: 2 }));
    assert.equal(delays.length, 3, 'four attempts');
    for (const [i, ms] of delays.entries()) {
      const middle = 1000 * 4 ** i;
      assert.ok(ms >= 0.8 * middle && ms <= 1.2 * middle, `${ms} ms after attempt ${i + 1}`);
    }
    assert.deepEqual(settled, ['r']);
    assert.deepEqual(
      [(await store.ledger.tally('r')).stored, (await store.ledger.tally('r')).failed],
      [1, 2],
    );
    const warned = kept.lines.filter(({ code }) => code === 'ITEM_UNREADABLE');
    assert.deepEqual(
      warned.map(({ run, job, item, attempts }) => [run, job, item, attempts]),
      [1, 2, 3, 4].map((attempts) => ['r', 'j', 'a', attempts]),
    );
  });

  test('a job without run is done, with the generation that serves its collection, and is in no ledger', async (t) => {
    const engine = scriptedEngine({
      async index({ run, generation, items }) {
        assert.deepEqual([run, generation.collection], ['job x', 'default']);
        return allStored(items);
      },
    });
    const { store, take, settled } = await begin(t, engine);
    const result = ofCaptions({ stored: 3, skipped: 0, failed: 0 });
    assert.deepEqual(await take(job({ run: undefined }), 'x'), { kind: 'done', result });
    assert.deepEqual(settled, []);
    assert.deepEqual(await collect(store.ledger.unsettled('r')), ['j']);
  });

  test('JOB_INVALID for a run, a generation or a collection that the index does not have; nothing is worked on', async (t) => {
    const engine = storing();
    const { store, take } = await begin(t, engine);
    await store.openGeneration(generationSpec({ collection: 'other' }));
    const cases = [
      [{ run: 'nobody' }, '"run" to be the id of a run of this index, or none, received "nobody"'],
      [{ collection: 'none' }, '"collection" to be a collection of this index, received "none"'],
      [{ generation: 'default.000' }, '"generation" to be a generation of collection "default", received'],
      [{ generation: 'other.0123456789ab' }, '"generation" to be a generation of collection "default"'],
    ] as const;
    for (const [changes, words] of cases) {
      await assert.rejects(take(job(changes), 'j'), (error) => {
        assert.ok(error instanceof VlmoError && error.code === 'JOB_INVALID');
        assert.ok(error.message.includes(`expected ${words}`), error.message);
        return true;
      });
    }
    assert.deepEqual(engine.calls, []);
  });

  for (const state of ['complete', 'cancelled'] as const) {
    test(`a job of a run that is ${state} is passed over`, async (t) => {
      const engine = storing();
      const { store, generation, take } = await begin(t, engine);
      await store.runs.upsert(runRecord(generation, { state }));
      const result = { passedOver: 'run r has ended' };
      assert.deepEqual(await take(job(), 'j'), { kind: 'done', result });
      assert.deepEqual(engine.calls, []);
    });
  }

  test('a store that refuses and a model that does not load put the job off as it is, without an end', async (t) => {
    const refusals = [
      new VlmoError('STORE_WRITE_FAILED', 'Cannot write: the disk is full'),
      new VlmoError('STORE_READ_FAILED', 'Cannot read'),
      new EngineDied('it ended'),
    ];
    for (const refusal of refusals) {
      const died = () => Promise.reject(refusal);
      const { store, take, kept } = await begin(t, scriptedEngine({ index: died, load: died }));
      const asked = job({ attempt: 4 });
      for (let time = 0; time < 10; time++) {
        const outcome = await take(asked, 'j');
        assert.ok(outcome.kind === 'again');
        assert.deepEqual([outcome.job, outcome.reason], [asked, refusal.message]);
        assert.ok(outcome.delayMs >= 800 && outcome.delayMs <= 72_000, `${outcome.delayMs}`);
      }
      assert.deepEqual(await collect(store.ledger.unsettled('r')), ['j']);
      const { run, job: id } = await kept.until('put off');
      assert.deepEqual([run, id], ['r', 'j']);
    }
  });

  test('any other error fails the job', async (t) => {
    const broken = new VlmoError('MODEL_INVALID', 'Cannot open model');
    const { take } = await begin(t, scriptedEngine({ index: () => Promise.reject(broken) }));
    await assert.rejects(take(job(), 'j'), broken);
  });
});
