import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { ErrorCode } from '#errors.ts';
import { beginRun } from '#runs/begin.ts';
import type { IndexSummary } from '#runs/index-source.ts';
import type { Prune } from '#runs/pass.ts';
import type { Item, Source } from '#sources/item.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import {
  collect,
  type Engine,
  type Index,
  openIndex,
  run,
  startEngine,
} from '../pipeline/pipeline-fixture.ts';
import { failureRecord } from '../store/lance/store-fixture.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());

const PLACE = '/list.jsonl';

function captions(...ids: readonly string[]): Item[] {
  return ids.map((id) => ({ kind: 'caption', id, imageId: null, uri: PLACE, caption: `a ${id}`, meta: {} }));
}

function broken(code: ErrorCode, id = 'x'): Item {
  return { kind: 'broken', id, uri: PLACE, error: { code, message: `Cannot read ${id}` } };
}

function source(items: readonly Item[], end: Promise<void> = Promise.resolve()): Source {
  return {
    uri: PLACE,
    fraction: () => undefined,
    async *items() {
      yield* items;
      await end;
    },
  };
}

async function stored(index: Index): Promise<string[]> {
  return (await collect(index.tables.captions.scan())).map(({ id }) => id).sort();
}

/** A pass over these, and what it says is gone. */
async function pass(
  index: Index,
  items: readonly Item[],
  prune: Prune = false,
): Promise<IndexSummary['gone']> {
  return (await run(engine, index, source(items), { prune })).gone;
}

async function open(t: TestContext, ...ids: readonly string[]): Promise<Index> {
  const index = await openIndex(join(await temporaryFolder(t), 'index'), engine);
  t.after(() => index[Symbol.asyncDispose]());
  await pass(index, captions(...ids));
  return index;
}

const MANY = Array.from({ length: 20 }, (_, n) => `many ${n}`);

describe('what a source no longer lists', { timeout: 120_000 }, () => {
  test('is counted by a whole pass, and taken out where that is asked; other sources keep theirs', async (t) => {
    const index = await open(t, 'a', 'b', 'c', 'd');
    await run(engine, index, source(captions('a', 'z')), { sourceName: 'another' });
    const counted = await pass(index, captions('a', 'd', 'e'));
    assert.deepEqual([counted?.images, counted?.captions, counted?.isTakenOut], [0, 2, false]);
    assert.deepEqual(await stored(index), ['a', 'a', 'b', 'c', 'd', 'e', 'z']);
    const taken = await pass(index, captions('a', 'd', 'e'), true);
    assert.deepEqual([taken?.captions, taken?.isTakenOut, taken?.refused], [2, true, undefined]);
    assert.deepEqual(await stored(index), ['a', 'a', 'd', 'e', 'z']);
    assert.equal((await pass(index, captions('a', 'd', 'e'), true))?.captions, 0);
  });

  test('goes with its failures, those that a retry or a job without a run listed too', async (t) => {
    const index = await open(t, 'a', 'b');
    const retry = { kind: 'direct', source: 'failures of default', place: PLACE, options: {} } as const;
    const { id, number } = await beginRun(index.store, { ...retry, generation: index.tables.record });
    const ours = { source: PLACE, run: id, runNumber: number };
    await index.store.failures.upsert([
      failureRecord('gone', ours),
      failureRecord('of a job', { source: PLACE, run: 'job 1' }),
      failureRecord('of another', { ...ours, source: 'another' }),
    ]);
    const ended = await index.store.runs.find(id);
    assert.ok(ended);
    await index.store.runs.upsert({ ...ended, state: 'complete', owner: null, endedAt: new Date() });
    assert.equal((await pass(index, captions('a', 'b'), true))?.failures, 1);
    assert.deepEqual(
      (await index.failures()).map((failure) => failure.id),
      ['of another'],
    );
  });

  test('stays where the source lists nothing, or lost more than half of 20: until all is said', async (t) => {
    const index = await open(t, ...MANY);
    const empty = await pass(index, [], true);
    assert.equal(empty?.refused?.code, 'PRUNE_REFUSED');
    assert.match(empty.refused.message, /20 of its 20 items would go, because it lists nothing; --prune=all/);
    const most = await pass(index, captions(...MANY.slice(0, 9)), true);
    assert.match(most?.refused?.message ?? '', /11 of its 20 items would go, more than half; --prune=all/);
    assert.equal((await stored(index)).length, 20);
    // What is new does not make up for what is gone.
    const renamed = captions(...MANY.slice(0, 9), ...MANY.map((id) => `new ${id}`));
    assert.equal((await pass(index, renamed, true))?.refused?.code, 'PRUNE_REFUSED');
    assert.equal((await stored(index)).length, 40);
    assert.equal((await pass(index, captions(...MANY.slice(0, 9)), 'all'))?.captions, 31);
    assert.deepEqual(await stored(index), MANY.slice(0, 9).sort());
    // Nine are few: half of them may go.
    assert.equal((await pass(index, captions('many 0'), true))?.isTakenOut, true);
    assert.equal((await pass(index, [], true))?.refused?.code, 'PRUNE_REFUSED');
    assert.deepEqual(await stored(index), ['many 0']);
    assert.equal((await pass(index, [], 'all'))?.captions, 1);
    assert.deepEqual(await stored(index), []);
  });

  test('half of 20 goes', async (t) => {
    const index = await open(t, ...MANY);
    assert.equal((await pass(index, captions(...MANY.slice(0, 10)), true))?.isTakenOut, true);
    assert.equal((await stored(index)).length, 10);
  });

  test('is not known where a folder could not be read, whatever is said', async (t) => {
    const index = await open(t, 'a', 'b');
    for (const prune of [true, 'all'] as const) {
      const gone = await pass(index, [...captions('a'), broken('SOURCE_NOT_FOUND', 'folder')], prune);
      assert.deepEqual([gone?.unread, gone?.captions, gone?.isTakenOut], ['folder', 0, false]);
      assert.match(gone?.refused?.message ?? '', /"folder" could not be read/);
    }
    assert.equal((await pass(index, [...captions('a'), broken('SOURCE_NOT_FOUND')]))?.refused, undefined);
    assert.deepEqual(await stored(index), ['a', 'b']);
  });

  test('is not known behind a place where a tar is damaged, and is where pictures are listed as not downloaded', async (t) => {
    const index = await open(t, 'a', 'b');
    const behind = await pass(index, [...captions('a'), broken('TAR_DAMAGED', 'x.tar/@512')], 'all');
    assert.deepEqual([behind?.unread, behind?.isTakenOut], ['x.tar/@512', false]);
    const listed = await pass(index, [...captions('a'), broken('ITEM_NOT_DOWNLOADED', '00000/3')], true);
    assert.deepEqual([listed?.unread, listed?.isTakenOut], [undefined, true]);
    assert.deepEqual(await stored(index), ['a']);
  });

  test('is not known where a file could not be looked at', async (t) => {
    const index = await open(t, 'a', 'b');
    const leftOut = { unreadable: { count: 1, first: ['photo'] } };
    const report = () => ({ leftOut, captionCandidates: [], sharedFiles: 0 });
    const { gone } = await run(engine, index, { ...source(captions('a')), report }, { prune: 'all' });
    assert.deepEqual(
      [gone?.unread, gone?.isTakenOut, gone?.refused?.code],
      ['photo', false, 'PRUNE_REFUSED'],
    );
    assert.deepEqual(await stored(index), ['a', 'b']);
  });

  test('may be what a row says that nobody understands: until all is said', async (t) => {
    const index = await open(t, 'a', 'b', 'c');
    const gone = await pass(index, [...captions('a'), broken('SOURCE_ROW_INVALID')], true);
    assert.match(gone?.refused?.message ?? '', /1 rows or sidecars could not be understood/);
    // An item that is no longer one is there all the same.
    const same = await pass(index, [...captions('a', 'b'), broken('SOURCE_ROW_INVALID', 'c')], true);
    assert.deepEqual([same?.captions, same?.isTakenOut], [0, true]);
    await pass(index, [...captions('a'), broken('SOURCE_ROW_INVALID')], 'all');
    assert.deepEqual(await stored(index), ['a']);
  });

  test('is not told by a pass that was stopped', async (t) => {
    const index = await open(t, 'a', 'b');
    const stop = new AbortController();
    const stopped: Source = {
      ...source([]),
      async *items() {
        yield* captions('a');
        stop.abort();
      },
    };
    const summary = await run(engine, index, stopped, { prune: 'all', signal: stop.signal });
    assert.deepEqual([summary.state, summary.gone], ['interrupted', undefined]);
    assert.deepEqual(await stored(index), ['a', 'b']);
  });

  test('is not what another run has met since the pass began', async (t) => {
    const index = await open(t, 'a', 'b', 'gone');
    const end = Promise.withResolvers<void>();
    const older = run(engine, index, source(captions('a'), end.promise), { prune: true });
    for (let begun = 0; begun < 2; ) {
      begun = 0;
      for await (const _ of index.store.runs.scan()) begun += 1;
    }
    // It stores one, and finds one unchanged, which no row tells.
    await pass(index, captions('b', 'new'));
    end.resolve();
    const { gone } = await older;
    assert.deepEqual([gone?.captions, gone?.isTakenOut, typeof gone?.reader], [2, false, 'string']);
    assert.deepEqual(await stored(index), ['a', 'b', 'gone', 'new']);
    assert.equal((await pass(index, captions('a', 'b', 'new'), true))?.captions, 1);
    assert.deepEqual(await stored(index), ['a', 'b', 'new']);
  });
});
