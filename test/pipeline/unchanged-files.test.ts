import assert from 'node:assert/strict';
import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { openSource } from '#sources/open-source.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { counted, passTime } from './counted.ts';
import { drawPicture, drawPictures, pictureName, put } from './pictures.ts';
import { type Engine, type Index, openIndex, startEngine } from './pipeline-fixture.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());

async function open(t: TestContext): Promise<{ readonly index: Index; readonly pictures: string }> {
  const folder = await temporaryFolder(t);
  const index = await openIndex(join(folder, 'index'), engine);
  t.after(() => index[Symbol.asyncDispose]());
  await drawPictures(join(folder, 'pictures'), 0, 3);
  await put(join(folder, 'pictures'), 'broken.png', 'no picture');
  return { index, pictures: join(folder, 'pictures') };
}

const ALL = ['broken.png', ...[0, 1, 2].map(pictureName)].sort();

describe('files that have not changed', { timeout: 120_000 }, () => {
  test('are not read, those that failed neither; one that was just written is read once more', async (t) => {
    const { index, pictures } = await open(t);
    const source = await openSource(pictures);
    assert.deepEqual((await counted(engine, index, source)).read, ALL);
    passTime(t);
    const second = await counted(engine, index, source);
    assert.deepEqual([second.read, second.embedded], [ALL, 0]);
    assert.deepEqual([second.summary.stored, second.summary.skipped, second.summary.failed], [0, 3, 1]);
    const third = await counted(engine, index, source);
    assert.deepEqual([third.read, third.embedded], [[], 0]);
    assert.deepEqual([third.summary.stored, third.summary.skipped, third.summary.knownFailures], [0, 3, 1]);
    const verified = await counted(engine, index, source, { verify: true });
    assert.deepEqual([verified.read, verified.embedded], [ALL, 0]);
    assert.deepEqual((await counted(engine, index, source, { retryFailed: true })).read, ['broken.png']);
  });

  test('one that did is read and embedded, one that was only touched is read', async (t) => {
    const { index, pictures } = await open(t);
    passTime(t);
    const source = await openSource(pictures);
    await counted(engine, index, source);
    const [changed, touched, same] = [0, 1, 2].map(pictureName) as [string, string, string];
    const before = await stat(join(pictures, changed));
    const other = await drawPicture(9, 'jpeg');
    await put(
      pictures,
      changed,
      Buffer.concat([other, Buffer.alloc(Math.max(0, before.size - other.length))]),
    );
    await utimes(join(pictures, changed), before.atime, before.mtime);
    await utimes(join(pictures, touched), new Date(0), new Date(0));
    await put(pictures, 'broken.png', 'still none');
    const again = await counted(engine, index, source);
    assert.deepEqual(again.read, ['broken.png', changed, touched].sort());
    assert.deepEqual([again.embedded, again.summary.stored, again.summary.skipped], [1, 1, 2]);
    assert.deepEqual((await counted(engine, index, source)).read, []);
    assert.equal((await index.images()).find(({ id }) => id === same)?.stamp?.split(' ').length, 3);
  });

  test('of an index that does not know them are read once, without the model', async (t) => {
    const { index, pictures } = await open(t);
    passTime(t);
    const source = await openSource(pictures);
    await counted(engine, index, source);
    for (const row of await index.images()) {
      const vectors = await index.tables.images.vector(row.key);
      assert.ok(vectors);
      await index.tables.images.upsert({ rows: [{ ...row, stamp: null }], vectors });
    }
    await index.store.failures.upsert((await index.failures()).map((one) => ({ ...one, stamp: null })));
    const filled = await counted(engine, index, source);
    assert.deepEqual([filled.read, filled.embedded, filled.summary.stored], [ALL, 0, 0]);
    assert.deepEqual((await counted(engine, index, source)).read, []);
  });

  test('of a manifest likewise; what a row names elsewhere is read, whatever its times', async (t) => {
    const { index, pictures } = await open(t);
    passTime(t);
    await put(
      pictures,
      'list.jsonl',
      [0, 1].map((n) => JSON.stringify({ id: n, image: pictureName(n) })).join('\n'),
    );
    const source = await openSource(join(pictures, 'list.jsonl'));
    assert.equal((await counted(engine, index, source)).read.length, 2);
    assert.deepEqual((await counted(engine, index, source)).read, []);
    await put(
      pictures,
      'list.jsonl',
      [2, 1].map((n, id) => JSON.stringify({ id, image: pictureName(n) })).join('\n'),
    );
    const moved = await counted(engine, index, source);
    assert.deepEqual([moved.read, moved.summary.stored], [[pictureName(2)], 1]);
  });
});
