import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { GenerationTables, Store } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import { itemKey, pictureKey } from '#store/item-key.ts';
import { INDEX_FORMAT } from '#store/lance/index-folder.ts';
import { openStore } from '#store/lance/open-store.ts';
import { fixture, seededRandom } from '../../fixtures/files.ts';
import { collect } from '../../pipeline/pipeline-fixture.ts';
import { temporaryFolder } from './store-fixture.ts';

/**
 * A real index as version 0.1.0 made it: a folder, a manifest, a queued run that is done and one that waits, with a tiny
 * model; the demo model in a collection of its own; and a run over what had failed.
 */
const CHILD = fileURLToPath(new URL('./migrating-writer.ts', import.meta.url));
const PHOTOS = '/srv/vlmo-fixture/photos';
const ROWS = '/srv/vlmo-fixture/lists/rows.jsonl';
const QUEUED = '/srv/vlmo-fixture/queued';

async function unpacked(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  await promisify(execFile)('tar', ['-xzf', fixture('indexes/format-0/index.tar.gz'), '-C', folder]);
  return join(folder, 'format-0');
}

async function tablesOf(store: Store, collection: string): Promise<GenerationTables> {
  const record = await store.activeGeneration(collection);
  assert.ok(record);
  return store.tables(record);
}

/** All that it holds, and holds of it whatever its format. */
async function contents(store: Store) {
  const { images, captions } = await tablesOf(store, 'default');
  const pictures = (await collect(images.scan())).map(({ key, source, id }) => ({ key, source, id }));
  const texts = (await collect(captions.scan())).map(
    ({ key, source, id, imageSource, imageId, caption }) => ({
      ...{ key, source, id, imageSource, imageId, caption },
    }),
  );
  for (const { key, source, id } of pictures) assert.equal(key, itemKey(source, 'image', id));
  for (const caption of texts) {
    assert.equal(caption.key, itemKey(caption.source, 'caption', caption.id));
    const isStored = (await images.find([pictureKey(caption) ?? ''])).size === 1;
    assert.equal(isStored, caption.imageId !== 'missing.png', caption.id);
  }
  const demo = await tablesOf(store, 'demo');
  assert.equal(await demo.images.count(anyOf('source', [QUEUED])), 4);
  const counts = await Promise.all(
    [PHOTOS, ROWS, QUEUED].map((name) => images.count(anyOf('source', [name]))),
  );
  assert.deepEqual(counts, [7, 2, 4]);
  const failures = (await collect(store.failures.scan())).map(({ key, source, id }) => ({ key, source, id }));
  assert.deepEqual(
    failures.map(({ source, id }) => [source, id]).sort(),
    [
      [ROWS, 'missing.png'],
      [ROWS, 'rows.jsonl:4'],
      [PHOTOS, 'broken.png'],
    ].sort(),
  );
  const runs = (await collect(store.runs.scan())).map(({ id, source, place, state }) => [
    id,
    source,
    place,
    state,
  ]);
  const keys = [...pictures, ...texts].map(({ key }) => key);
  const vectors = [...(await images.findVectors(keys)), ...(await captions.findVectors(keys))];
  assert.equal(vectors.length, keys.length);
  const [first = new Float32Array()] = vectors.map(([, vector]) => vector);
  const nearest = (await images.nearest(first, { k: 100 })).map(({ row, score }) => [row.key, score]);
  const firsts = await captions.firstOfImages(pictures.map(({ key }) => key));
  const held = new Map<string, string[]>();
  for (const word of texts.flatMap(({ caption }) => caption.split(' '))) {
    const found = (await collect(captions.matching(word))).map(({ key }) => key);
    held.set(word, found.sort());
  }
  assert.ok([...held.values()].filter((found) => found.length > 0).length > 5);
  return {
    held: [...held],
    ...{ pictures: sorted(pictures), texts: sorted(texts), failures: sorted(failures), runs: sorted(runs) },
    ...{ vectors: sorted(vectors), nearest, firsts: sorted([...firsts]) },
  };
}

function sorted<T>(values: readonly T[]): T[] {
  return values.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

describe('an index of format 2', () => {
  test('is read as it is, and brought up to date by the first writing opening, with the same vectors', async (t) => {
    const index = await unpacked(t);
    const marker = await readFile(join(index, 'vlmo-index.json'), 'utf8');
    const before = await (async () => {
      await using store = await openStore(index, { create: false });
      return await contents(store);
    })();
    assert.equal(await readFile(join(index, 'vlmo-index.json'), 'utf8'), marker);
    const notes: string[] = [];
    await using store = await openStore(index, {
      ...{ create: false, write: true },
      note: (line) => notes.push(line),
    });
    assert.equal(notes.length, 2 * (INDEX_FORMAT - 2), notes.join('\n'));
    assert.deepEqual(await contents(store), before);
    assert.match(
      await readFile(join(index, 'vlmo-index.json'), 'utf8'),
      new RegExp(`"format":${INDEX_FORMAT}`),
    );
    const { images } = await tablesOf(store, 'default');
    const [row] = await collect(images.scan(anyOf('source', [PHOTOS])));
    assert.ok(row);
    const vectors = (await images.vector(row.key)) ?? new Float32Array();
    // The same id of another source is another row, and the same key is the same one.
    await images.upsert({ rows: [{ ...row, source: 's', key: itemKey('s', 'image', row.id) }], vectors });
    await images.upsert({ rows: [{ ...row, width: 7 }], vectors });
    assert.equal((await images.find([row.key])).get(row.key)?.width, 7);
    assert.equal(await images.count(), before.pictures.length + 1);
  });

  test('killed -9 anywhere in the middle of that: the next opening finishes it', {
    timeout: 300_000,
  }, async (t) => {
    const index = await unpacked(t);
    const seed = Date.now();
    t.diagnostic(`moments by seed ${seed}`);
    const random = seededRandom(seed);
    const expected = await (async () => {
      await using store = await openStore(index, { create: false });
      return await contents(store);
    })();
    for (let kills = 0, isDone = false; !isDone; ) {
      const child = spawn(process.execPath, [CHILD, index], { stdio: ['ignore', 'pipe', 'inherit'] });
      for await (const line of createInterface({ input: child.stdout })) {
        isDone = line.startsWith('up to date');
        if (isDone || kills >= 12) continue;
        // A little later each time: every attempt gets somewhere the last one did not.
        await setTimeout(random() * 60 * kills);
        child.kill('SIGKILL');
        kills += 1;
        break;
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    }
    await using store = await openStore(index, { create: false, write: true });
    assert.deepEqual(await contents(store), expected);
  });
});
