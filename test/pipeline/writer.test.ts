import assert from 'node:assert/strict';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Item } from '#sources/item.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { put } from './pictures.ts';
import { collect, type Engine, generated, openIndex, run, startEngine } from './pipeline-fixture.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());

describe('Writer', () => {
  test('a store that fails in the middle keeps what it committed, and stops the source', async (t) => {
    const folder = await temporaryFolder(t);
    await using index = await openIndex(join(folder, 'index'), engine);
    const { name } = index.tables.record;
    const table = join(folder, 'index', 'lance', `${name}.captions.lance`);
    let given = 0;
    const failing = generated(async function* () {
      for (; given < 100_000; given++) {
        if (given === 6000) {
          // The first 2,048 captions are a full commit; it is under way at the latest when the third one fills.
          await rename(table, join(folder, 'aside'));
          await put(folder, 'obstacle', '');
          await rename(join(folder, 'obstacle'), table);
        }
        yield caption(given);
      }
    });
    await assert.rejects(run(engine, index, failing), vlmoError('STORE_WRITE_FAILED', `${name}.captions`));
    assert.ok(given < 20_000, `the source was pulled ${given} items far`);
    await rm(table);
    await rename(join(folder, 'aside'), table);
    const kept = await index.tables.captions.count();
    assert.ok(kept > 0 && kept < 6000, `${kept} captions were kept`);
    const again = await run(
      engine,
      index,
      generated(async function* () {
        for (let n = 0; n < 6000; n++) yield caption(n);
      }),
    );
    assert.deepEqual([again.stored, again.skipped], [6000 - kept, kept]);
    assert.equal(await index.tables.captions.count(), 6000);
    const states = (await collect(index.store.runs.scan())).map(({ state }) => state).sort();
    assert.deepEqual(states, ['complete', 'failed']);
  });
});

function caption(n: number): Item {
  return { kind: 'caption', id: `c${n}`, imageId: null, uri: 'list', caption: `a ${n % 50}`, meta: {} };
}
