import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { describeProcess } from '#host-process.ts';
import { beginRun } from '#runs/begin.ts';
import { completeRun } from '#runs/complete.ts';
import type { Item, Source } from '#sources/item.ts';
import type { RunRecord } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { type Engine, type Index, openIndex, run, startEngine } from '../pipeline/pipeline-fixture.ts';
import { result, startQueuedTests } from '../pipeline/queued-fixture.ts';
import { failureRecord, generationSpec } from '../store/lance/store-fixture.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());
const beginQueued = await startQueuedTests({ after });

const BROKEN: readonly Item[] = Array.from({ length: 20 }, (_, n) => ({
  ...{ kind: 'broken', id: `row ${n}`, uri: '/list.jsonl' },
  error: { code: 'SOURCE_ROW_INVALID', message: `Cannot read row ${n}` },
}));
const IDS = BROKEN.map(({ id }) => id).sort();

/** A source of the broken rows that is told when to begin and to end, and tells when it has given all. */
function gated(items = BROKEN) {
  const [begun, given, end] = [1, 2, 3].map(() => Promise.withResolvers<void>()) as [Gate, Gate, Gate];
  const source: Source = {
    uri: '/list.jsonl',
    fraction: () => undefined,
    async *items() {
      await begun.promise;
      yield* items;
      given.resolve();
      await end.promise;
    },
  };
  return { source, begin: () => begun.resolve(), given: given.promise, end: () => end.resolve() };
}
type Gate = PromiseWithResolvers<void>;

async function listed(index: Index): Promise<string[]> {
  return (await index.failures()).map(({ id }) => id).sort();
}

async function open(t: TestContext): Promise<Index> {
  return openIndex(join(await temporaryFolder(t), 'index'), engine);
}

/** Waits until so many runs are in the store. */
async function untilBegun(index: Index, count: number): Promise<void> {
  for (let begun = 0; begun < count; ) {
    begun = 0;
    for await (const _ of index.store.runs.scan()) begun += 1;
  }
}

describe('two runs over one source that overlap', { timeout: 120_000 }, () => {
  for (const order of ['the older one ends first', 'the younger one ends first'] as const) {
    for (const reads of ['older first', 'younger first'] as const) {
      test(`direct, ${order}, ${reads} to read: what both list stays listed`, async (t) => {
        await using index = await open(t);
        const [a, b] = [gated(), gated()];
        const older = run(engine, index, a.source);
        await untilBegun(index, 1);
        const younger = run(engine, index, b.source, { retryFailed: order === 'the older one ends first' });
        await untilBegun(index, 2);
        for (const one of reads === 'older first' ? [a, b] : [b, a]) one.begin();
        await Promise.all([a.given, b.given]);
        if (order === 'the older one ends first') {
          a.end();
          assert.equal((await older).failed, 20);
          assert.deepEqual(await listed(index), IDS);
          b.end();
        } else {
          b.end();
          assert.equal((await younger).failed, 20);
          assert.deepEqual(await listed(index), IDS);
          a.end();
        }
        assert.deepEqual([(await older).failed, (await younger).failed], [20, 20]);
        assert.deepEqual(await listed(index), IDS);
        // And what nobody meets any more goes with the next whole pass.
        const last = gated(BROKEN.slice(0, 3));
        for (const step of [last.begin, last.end]) step();
        await run(engine, index, last.source);
        assert.deepEqual(await listed(index), ['row 0', 'row 1', 'row 2']);
      });
    }
  }

  test('direct beside queued: a failure goes only where an older run that has ended left it', async (t) => {
    const { store, generation } = await beginQueued(t);
    const request = { source: '/list.jsonl', place: '/list.jsonl', generation, options: {} };
    const start = async (kind: RunRecord['kind']): Promise<RunRecord> =>
      beginRun(store, { ...request, kind });
    const list = (run: RunRecord, ids: readonly string[]) =>
      store.failures.upsert(ids.map((id) => failureRecord(id, { run: run.id, runNumber: run.number })));
    const left = async (): Promise<string[]> => {
      const ids: string[] = [];
      for await (const { id } of store.failures.scan()) ids.push(id);
      return ids.sort();
    };
    const gone = await start('direct');
    await list(gone, ['of a run that ended', 'met again']);
    await store.runs.upsert({ ...gone, state: 'failed', owner: null });
    const killed = await start('direct');
    await list(killed, ['of a run that was killed']);
    const owner = JSON.stringify({ ...JSON.parse(describeProcess()), started: '1' });
    await store.runs.upsert({ ...killed, owner });
    const older = await start('direct');
    await list(older, ['of an older run under way', 'met by both']);
    const queued = await start('queued');
    const younger = await start('direct');
    await list(younger, ['of a younger run', 'met by all']);
    await list(queued, ['met again', 'met by both', 'met by all', 'its own']);
    await list(older, ['met by both', 'met by all']);
    await store.ledger.addChunks([{ run: queued.id, id: 'c', items: 4, data: '{}', priority: 'normal' }]);
    await store.ledger.settle([result(queued.id, 'c', { stored: 0, failed: 4 })]);
    await store.runs.upsert({ ...queued, seen: 4, submitted: true, owner: null });
    assert.equal((await completeRun(store, queued.id))?.state, 'complete');
    assert.deepEqual(await left(), [
      ...['its own', 'met again', 'met by all', 'met by both', 'of a younger run'],
      'of an older run under way',
    ]);
    const found = await store.failures.find(
      'default',
      ['met by both', 'met by all'].map((id) => failureRecord(id).key),
    );
    assert.deepEqual(
      new Map(found.map(({ id, run }) => [id, run])),
      new Map([
        ['met by both', queued.id],
        ['met by all', younger.id],
      ]),
      'an older run does not take over what a younger one has listed',
    );
  });

  test('what a retry has listed again belongs to its source: the next whole pass over that clears what it does not meet', async (t) => {
    await using index = await open(t);
    const { store } = index;
    const retry = {
      kind: 'queued',
      source: 'failures of default',
      place: 'failures of default',
      options: {},
    } as const;
    const { id, number } = await beginRun(store, { ...retry, generation: index.tables.record });
    const listedBy = { run: id, runNumber: number };
    await store.failures.upsert([
      failureRecord('mended', { ...listedBy, source: '/list.jsonl' }),
      failureRecord('of another', { ...listedBy, source: '/another.jsonl' }),
    ]);
    const ended = await store.runs.find(id);
    assert.ok(ended);
    await store.runs.upsert({ ...ended, state: 'complete', owner: null, endedAt: new Date() });
    const a = gated([]);
    a.begin();
    a.end();
    await run(engine, index, a.source);
    assert.deepEqual(await listed(index), ['of another']);
  });

  test('runs that begin at once in several stores have numbers of their own, in their order', async (t) => {
    const path = join(await temporaryFolder(t), 'index');
    await using first = await openStore(path, { create: true });
    const { record } = await first.openGeneration(generationSpec());
    const request = { kind: 'direct', source: '/s', place: '/s', generation: record, options: {} } as const;
    const before = (await beginRun(first, request)).number ?? 0;
    const stores = await Promise.all([1, 2, 3, 4].map(() => openStore(path, { create: false })));
    const at = await Promise.all(stores.flatMap((store) => [1, 2].map(() => beginRun(store, request))));
    const after = (await beginRun(first, request)).number ?? 0;
    for (const store of stores) await store.close();
    const numbers = at.map(({ number }) => number ?? 0);
    assert.equal(new Set(numbers).size, 8);
    assert.ok(numbers.every((number) => before < number && number < after));
  });
});
