import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openSource } from '#sources/open-source.ts';
import type { FailureRecord } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPicture, drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import {
  collect,
  counts,
  type Engine,
  type Index,
  openIndex,
  run,
  startEngine,
} from '../pipeline/pipeline-fixture.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());

const NOTHING = { state: 'complete', seen: 0, stored: 0, skipped: 0, failed: 0, knownFailures: 0 };

function sortById(failures: readonly FailureRecord[]): FailureRecord[] {
  return failures.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

describe('indexSource', () => {
  test('every item ends as stored or failed, and a second run does nothing', async (t) => {
    const folder = await temporaryFolder(t);
    const pictures = join(folder, 'pictures');
    await drawPictures(pictures, 0, 30);
    for (let n = 0; n < 30; n += 2) await put(pictures, `p${String(n).padStart(4, '0')}.txt`, `picture ${n}`);
    await put(pictures, 'broken.jpg', 'no picture');
    await put(pictures, 'sub/empty.png', '');
    await put(pictures, 'sub/b.json', '{ not JSON');
    await put(pictures, 'sub/b.png', await drawPicture(99));
    await using index = await openIndex(join(folder, 'index'), engine);

    const first = await run(engine, index, await openSource(pictures, {}));
    const expected = { ...NOTHING, seen: 49, stored: 46, failed: 3 };
    assert.deepEqual(counts(first), expected);
    assert.equal(first.stored + first.skipped + first.failed, first.seen);
    assert.equal(await index.tables.images.count(), 31);
    assert.equal(await index.tables.captions.count(), 15);
    const failures = await index.failures();
    assert.deepEqual(
      failures.map(({ id, kind, code, attempts }) => ({ id, kind, code, attempts })),
      [
        { id: 'sub/b.json', kind: 'broken', code: 'SOURCE_ROW_INVALID', attempts: 1 },
        { id: 'broken.jpg', kind: 'image', code: 'IMAGE_INVALID', attempts: 1 },
        { id: 'sub/empty.png', kind: 'image', code: 'IMAGE_INVALID', attempts: 1 },
      ],
    );

    const second = await run(engine, index, await openSource(pictures, {}));
    assert.deepEqual(counts(second), { ...NOTHING, seen: 49, skipped: 46, failed: 3, knownFailures: 3 });
    const number = (await index.store.runs.find(second.run))?.number ?? null;
    const met = (failure: FailureRecord) => ({ ...failure, run: second.run, runNumber: number });
    assert.deepEqual(sortById(await index.failures()), sortById(failures.map(met)));
    const runs = await collect(index.store.runs.scan());
    assert.deepEqual(
      runs
        .map(({ id, state, seen, stored, skipped, failed }) => [id, state, seen, stored, skipped, failed])
        .sort(),
      [
        [first.run, 'complete', 49, 46, 0, 3],
        [second.run, 'complete', 49, 0, 46, 3],
      ].sort(),
    );
  });

  test('a changed picture, caption or meta is stored anew, and nothing else', async (t) => {
    const folder = await temporaryFolder(t);
    await drawPictures(folder, 0, 12);
    const line = (n: number, caption: string, size: number): string =>
      JSON.stringify({ file_name: pictureName(n), text: caption, size });
    await put(
      folder,
      'metadata.jsonl',
      Array.from({ length: 12 }, (_, n) => line(n, `caption ${n}`, 1)).join('\n'),
    );
    await using index = await openIndex(join(folder, '.index'), engine);
    assert.equal((await run(engine, index, await openSource(folder, {}))).stored, 24);
    const before = await vectors(index, [3, 4, 5]);

    const lines = Array.from({ length: 12 }, (_, n) =>
      line(n, n === 4 ? 'another' : `caption ${n}`, n === 5 ? 2 : 1),
    );
    await put(folder, 'metadata.jsonl', lines.join('\n'));
    await put(folder, pictureName(3), await drawPicture(1003, 'jpeg'));
    const second = await run(engine, index, await openSource(folder, {}));
    // The picture 3, the caption of 4, and both the picture and the caption of 5, whose meta it is.
    assert.deepEqual(counts(second), { ...NOTHING, seen: 24, stored: 4, skipped: 20 });

    const now = await vectors(index, [3, 4, 5]);
    assert.notDeepEqual(now.images[0], before.images[0], 'picture 3 has another vector');
    assert.deepEqual(now.images.slice(1), before.images.slice(1), 'the other pictures keep theirs');
    assert.notDeepEqual(now.captions[1], before.captions[1], 'caption 4 has another vector');
    assert.deepEqual([now.captions[0], now.captions[2]], [before.captions[0], before.captions[2]]);
    const five = (await index.images()).find(({ id }) => id === pictureName(5));
    assert.deepEqual(five?.meta, { size: 2 });
    assert.equal(await index.tables.images.count(), 12);
    assert.equal(await index.tables.captions.count(), 12);
  });

  test('a source that moved under its name gets new places and keeps its vectors', async (t) => {
    const folder = await temporaryFolder(t);
    const [old, moved] = [join(folder, 'old'), join(folder, 'moved')];
    await drawPictures(old, 0, 10);
    await put(old, 'p0001.txt', 'a caption');
    await using index = await openIndex(join(folder, 'index'), engine);
    const named = { sourceName: 'photos' };
    await run(engine, index, await openSource(old, {}), named);
    const key = itemKey('photos', 'image', pictureName(1));
    const vector = await index.tables.images.vector(key);
    assert.ok(vector);
    await rename(old, moved);
    const second = await run(engine, index, await openSource(moved, {}), named);
    assert.deepEqual(counts(second), { ...NOTHING, seen: 11, stored: 11 });
    for (const { id, uri } of await index.images()) assert.equal(uri, join(moved, id));
    assert.deepEqual(await index.tables.images.vector(key), vector);
    assert.equal((await run(engine, index, await openSource(moved, {}), named)).skipped, 11);
  });

  test('the same picture under two ids is stored under both', async (t) => {
    const folder = await temporaryFolder(t);
    const bytes = await drawPicture(1);
    for (const name of ['a.png', 'b.png', 'sub/a.png']) await put(folder, name, bytes);
    await using index = await openIndex(join(folder, '.index'), engine);
    assert.equal((await run(engine, index, await openSource(folder, {}))).stored, 3);
    const rows = await index.images();
    assert.deepEqual(rows.map(({ id }) => id).sort(), ['a.png', 'b.png', 'sub/a.png']);
    assert.equal(new Set(rows.map(({ sha256 }) => sha256)).size, 1);
  });

  test('an empty source is complete with nothing', async (t) => {
    const folder = await temporaryFolder(t);
    await put(folder, 'notes.md', 'nothing here');
    await using index = await openIndex(join(folder, '.index'), engine);
    assert.deepEqual(counts(await run(engine, index, await openSource(folder, {}))), NOTHING);
  });
});

/** The vectors of some pictures and of their captions. */
async function vectors({ tables, images }: Index, numbers: readonly number[]) {
  const source = (await images())[0]?.source ?? '';
  const ids = numbers.map(pictureName);
  return {
    images: await Promise.all(ids.map((id) => tables.images.vector(itemKey(source, 'image', id)))),
    captions: await Promise.all(
      ids.map((id) => tables.captions.vector(itemKey(source, 'caption', `${id}#0`))),
    ),
  };
}
