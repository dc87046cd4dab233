import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { EngineDied } from '#engine/engine.ts';
import { VlmoError } from '#errors.ts';
import type { GenerationRecord } from '#store/contract.ts';
import { NO_KINDS } from '#store/kind-counts.ts';
import { type IndexRequest, indexItems } from '#workers/jobs/bisect-crash.ts';
import { SharedLock } from '#workers/jobs/shared-lock.ts';
import { allStored, caption, scriptedEngine } from '../../engine/engine-fixture.ts';

const FAILED = { stored: 0, skipped: 0, failed: 1 };

function request(ids: string): IndexRequest {
  const generation = { name: 'default.0' } as GenerationRecord;
  const items = [...ids].map((id) => caption(id));
  return { run: 'r', runNumber: 1, source: 's', generation, retryFailed: false, items };
}

/** An engine that dies of these items, each time that one of them is in a chunk. */
function mortal(deadly: string) {
  const aside: string[] = [];
  const engine = scriptedEngine({
    async index({ items }) {
      if (items.some(({ id }) => deadly.includes(id))) throw new EngineDied('it ended');
      return allStored(items);
    },
    async quarantine({ item }) {
      aside.push(item.id);
      return { ...FAILED, kinds: { ...NO_KINDS, captions: FAILED }, failures: [] };
    },
  });
  return { engine, aside };
}

describe('indexItems', () => {
  test('one call where nothing goes wrong', async () => {
    const { engine } = mortal('');
    const tally = await indexItems(engine, new SharedLock(), request('abcd'));
    assert.deepEqual([tally.stored, engine.calls], [4, ['index abcd']]);
  });

  test('by halves: the one item that ends the process is set aside, after two deaths alone', async () => {
    const { engine, aside } = mortal('c');
    const tally = await indexItems(engine, new SharedLock(), request('abcdefgh'));
    const counts = { stored: 7, skipped: 0, failed: 1 };
    assert.deepEqual(tally, { ...counts, kinds: { ...NO_KINDS, captions: counts }, failures: [] });
    assert.deepEqual(aside, ['c']);
    const calls = engine.calls.filter((call) => call.startsWith('index'));
    const halves = ['abcdefgh', 'abcdefgh', 'abcd', 'ab', 'cd', 'c', 'c', 'd', 'efgh'];
    assert.deepEqual(
      calls,
      halves.map((ids) => `index ${ids}`),
    );
  });

  test('several items that end the process are each set aside', async () => {
    const { engine, aside } = mortal('aeg');
    const { stored, failed } = await indexItems(engine, new SharedLock(), request('abcdefg'));
    assert.deepEqual([stored, failed, aside], [4, 3, ['a', 'e', 'g']]);
  });

  test('it is done again with nothing beside it: what is under way is waited for', async () => {
    const held = Promise.withResolvers<void>();
    const { engine } = mortal('x');
    const shared = scriptedEngine({
      async index(call) {
        if (call.items.some(({ id }) => id === 'a')) await held.promise;
        return engine.call(call);
      },
      quarantine: (call) => engine.call(call),
    });
    const lock = new SharedLock();
    const beside = indexItems(shared, lock, request('ab'));
    const bad = indexItems(shared, lock, request('xy'));
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    assert.deepEqual(shared.calls, ['index ab', 'index xy']);
    held.resolve();
    assert.deepEqual([(await beside).stored, (await bad).stored, (await bad).failed], [2, 1, 1]);
  });

  test('a death that another chunk caused costs an item nothing', async () => {
    const { engine, aside } = mortal('');
    let deaths = 0;
    const shared = scriptedEngine({
      async index(call) {
        if (deaths++ === 0) throw new EngineDied('it ended of another chunk');
        return engine.call(call);
      },
    });
    assert.equal((await indexItems(shared, new SharedLock(), request('ab'))).stored, 2);
    assert.deepEqual([shared.calls, aside], [['index ab', 'load', 'index ab'], []]);
  });

  test('a model that cannot be loaded is blamed on no item: EngineDied', async () => {
    const died = async () => {
      throw new EngineDied('it ended');
    };
    const engine = scriptedEngine({ index: died, load: died });
    await assert.rejects(indexItems(engine, new SharedLock(), request('ab')), EngineDied);
    assert.deepEqual(engine.calls, ['index ab', 'load']);
  });

  test('what the engine throws is thrown, and not tried again', async () => {
    const full = new VlmoError('STORE_WRITE_FAILED', 'Cannot write');
    const engine = scriptedEngine({ index: () => Promise.reject(full) });
    await assert.rejects(indexItems(engine, new SharedLock(), request('ab')), full);
    assert.equal(engine.calls.length, 1);
  });
});
