import assert from 'node:assert/strict';
import { access, mkdir, readdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { VlmoError } from '#errors.ts';
import { beginRun } from '#runs/begin.ts';
import { copyIndexTo } from '#service/copy-index.ts';
import { openIndex } from '#service/open-index.ts';
import { openStore } from '#store/lance/open-store.ts';
import {
  captionRow,
  failureRecord,
  generationSpec,
  imageRow,
  temporaryFolder,
  unitVectors,
} from '../store/lance/store-fixture.ts';
import { assertCannotRun, ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { mountDisk, remount } from './disk.ts';

const DIMENSIONS = 64;

interface Copied {
  readonly complete: boolean;
  readonly id: string;
  readonly copied: number;
  readonly kept: number;
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly sha256: string }[];
}

interface Scene {
  readonly folder: string;
  readonly from: string;
  readonly to: string;
}

/** An index of several versions, with deleted and replaced rows, indexes, failures and what lies beside the tables. */
async function makeIndex(t: TestContext, count: number): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const from = join(folder, 'from');
  await using store = await openStore(from, { create: true });
  const { images, captions } = await store.openGeneration(generationSpec({ dimensions: DIMENSIONS }));
  const rows = Array.from({ length: count }, (_, n) => imageRow(`${n}`, { width: n }));
  await images.upsert({ rows, vectors: unitVectors(count, DIMENSIONS) });
  await captions.upsert({
    rows: rows.map(({ id }) => captionRow(`${id}#0`, { imageId: id, caption: `number ${id} of all` })),
    vectors: unitVectors(count, DIMENSIONS).reverse(),
  });
  await captions.optimize();
  for await (const _ of captions.matching('number')) break;
  await images.delete(rows.slice(0, 5).map(({ key }) => key));
  await images.upsert({ rows: rows.slice(10, 12), vectors: unitVectors(2, DIMENSIONS) });
  await store.failures.upsert([failureRecord('broken')]);
  await mkdir(join(from, 'uploads/one'), { recursive: true });
  await writeFile(join(from, 'uploads/one/picture.png'), 'a picture that nobody else has');
  await mkdir(join(from, 'thumbnails'));
  await writeFile(join(from, 'thumbnails/1.webp'), 'made again');
  return { folder, from, to: join(folder, 'to') };
}

/** All that an index answers, in the order of the store. */
async function contentOf(path: string): Promise<unknown> {
  await using store = await openStore(path, { create: false });
  const record = await store.activeGeneration('default');
  assert.ok(record);
  const { images, captions } = await store.tables(record);
  const found: unknown[] = [];
  for (const table of [images, captions])
    for await (const { rows, halves } of table.scanVectors()) found.push(rows, halves);
  for await (const failure of store.failures.scan()) found.push(failure);
  for await (const run of store.runs.scan()) found.push(run);
  return found;
}

function isCode(code: string) {
  return (error: unknown): boolean => error instanceof VlmoError && error.code === code;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

describe('vlmo copy', { timeout: 300_000 }, () => {
  test('the copy answers as the index does, and is the same index unless it gets an id of its own', async (t) => {
    const { from, to, folder } = await makeIndex(t, 300);
    const { lines } = await vlmoJson<Copied>(['copy', from, to, '--json']);
    const [copied] = lines;
    assert.equal(copied?.complete, true);
    const rows = new Map(copied?.tables.map(({ name, rows: count }) => [name, count]));
    assert.equal(rows.get('default.0123456789ab.images'), 295);
    assert.equal(rows.get('default.0123456789ab.captions'), 300);
    assert.equal(rows.get('failures'), 1);
    assert.deepEqual(await contentOf(to), await contentOf(from));
    assert.equal(
      await readFile(join(to, 'uploads/one/picture.png'), 'utf8'),
      'a picture that nobody else has',
    );
    assert.deepEqual((await readdir(to)).sort(), ['lance', 'uploads', 'vlmo-index.json']);
    await using original = await openIndex(from);
    await using same = await openIndex(to);
    assert.equal(same.id, original.id);
    assert.equal(copied?.id, original.id);

    // Copies of one version have one checksum.
    const second = join(folder, 'second');
    const other = await copyIndexTo(to, second, { newId: true });
    assert.deepEqual(
      other.tables.map(({ name, sha256 }) => [name, sha256]),
      copied?.tables.map(({ name, sha256 }) => [name, sha256]),
    );
    await using own = await openIndex(second);
    assert.notEqual(own.id, original.id);
    const asked = { id: '20', in: 'captions', keywords: 'number', k: 9 } as const;
    assert.deepEqual((await own.search(asked)).hits, (await original.search(asked)).hits);
  });

  test('the copy can be written, and the index is as it was', async (t) => {
    const { from, to } = await makeIndex(t, 50);
    const before = await contentOf(from);
    await copyIndexTo(from, to);
    {
      await using store = await openStore(to, { create: false, write: true });
      const [record] = await store.generations();
      assert.ok(record);
      const { images } = await store.tables(record);
      await images.upsert({ rows: [imageRow('new')], vectors: unitVectors(1, DIMENSIONS) });
      await images.optimize();
      assert.equal(await images.count(), 46);
    }
    assert.deepEqual(await contentOf(from), before);
  });

  test('killed -9 in the middle: no index is there, and the rerun keeps what is whole', async (t) => {
    const { from, to } = await makeIndex(t, 200);
    await mkdir(join(from, 'results'));
    for (let n = 0; n < 40; n++)
      await writeFile(join(from, `results/${n}.parquet`), Buffer.alloc(2 ** 21, n));
    const victim = startVlmo(['copy', from, to]);
    while (!(await isThere(join(to, 'results/12.parquet')))) await setTimeout(1);
    victim.kill('SIGKILL');
    assert.equal((await ended(victim)).signal, 'SIGKILL');
    assert.ok(!(await isThere(join(to, 'vlmo-index.json'))), 'it is killed in the middle');
    await assertCannotRun(['sources', '--index', to], 'STORE_NOT_FOUND');
    // What was copied is read again: one file is damaged since, one is shorter, one is gone.
    await writeFile(join(to, 'results/0.parquet'), Buffer.alloc(2 ** 21, 99));
    await truncate(join(to, 'results/1.parquet'), 1000);
    await unlink(join(to, 'results/10.parquet'));
    const { lines } = await vlmoJson<Copied>(['copy', from, to, '--json']);
    assert.ok((lines[0]?.kept ?? 0) > 0 && (lines[0]?.copied ?? 0) >= 3 * 2 ** 21);
    assert.deepEqual(await contentOf(to), await contentOf(from));
    for (const n of [0, 1, 10, 39])
      assert.deepEqual(await readFile(join(to, `results/${n}.parquet`)), Buffer.alloc(2 ** 21, n));
    assert.deepEqual(
      (await readdir(to)).filter((name) => name.startsWith('.')),
      [],
    );
  });

  test('a disk that fills up is an error; with room again, the same call finishes', async (t) => {
    const { from, folder } = await makeIndex(t, 500);
    const place = join(folder, 'disk');
    await mkdir(place);
    using disk = mountDisk(place, '100k');
    if (!disk) return t.skip('mounting a disk needs root');
    const to = join(place, 'copy');
    await assert.rejects(copyIndexTo(from, to), isCode('STORE_WRITE_FAILED'));
    assert.ok(!(await isThere(join(to, 'vlmo-index.json'))));
    remount(place, 'size=64m');
    await copyIndexTo(from, to);
    assert.deepEqual(await contentOf(to), await contentOf(from));
  });

  test('stopped, it goes on with the same call', async (t) => {
    const { from, to } = await makeIndex(t, 50);
    const stopping = new AbortController();
    const stopped = copyIndexTo(from, to, { signal: stopping.signal, onStart: () => stopping.abort() });
    await assert.rejects(stopped);
    assert.ok(!(await isThere(join(to, 'vlmo-index.json'))));
    await copyIndexTo(from, to);
    assert.deepEqual(await contentOf(to), await contentOf(from));
  });

  test('while a run is under way it is refused; of one that was killed it is not', async (t) => {
    const { from, to } = await makeIndex(t, 20);
    {
      await using store = await openStore(from, { create: false, write: true });
      const [generation] = await store.generations();
      assert.ok(generation);
      const run = await beginRun(store, {
        ...{ kind: 'direct', source: 'a', place: 'a', generation, options: {} },
      });
      await assert.rejects(copyIndexTo(from, to), isCode('INDEX_BUSY'));
      assert.ok(!(await isThere(to)));
      const owner = JSON.parse(run.owner ?? '{}') as { pid: number };
      const gone = JSON.stringify({ ...owner, pid: 2 ** 22 });
      await store.runs.upsert({ ...run, owner: gone });
    }
    await copyIndexTo(from, to);
    assert.ok(await isThere(join(to, 'vlmo-index.json')));
  });

  test('what is written while it is copied is not in the copy, which is of one moment', async (t) => {
    const { from, to } = await makeIndex(t, 100);
    const before = await contentOf(from);
    await using store = await openStore(from, { create: false, write: true });
    const [record] = await store.generations();
    assert.ok(record);
    const { images } = await store.tables(record);
    let written: Promise<void> | undefined;
    await copyIndexTo(from, to, {
      onStart: () => {
        written = images.upsert({ rows: [imageRow('late')], vectors: unitVectors(1, DIMENSIONS) });
      },
    });
    await written;
    assert.deepEqual(await contentOf(to), before);
    assert.equal(await images.count(), 96);
  });

  test('into another index, a folder of something else, or itself: refused, and nothing is changed', async (t) => {
    const { from, to, folder } = await makeIndex(t, 15);
    await copyIndexTo(from, to);
    await assert.rejects(copyIndexTo(from, to), isCode('STORE_FOLDER_OCCUPIED'));
    await assert.rejects(copyIndexTo(from, from), isCode('STORE_FOLDER_OCCUPIED'));
    await assert.rejects(copyIndexTo(from, join(from, 'backup')), isCode('STORE_FOLDER_OCCUPIED'));
    assert.ok(!(await isThere(join(from, 'backup'))));
    const foreign = join(folder, 'foreign');
    await mkdir(foreign);
    await writeFile(join(foreign, 'thesis.tex'), '');
    await assertCannotRun(['copy', from, foreign], 'STORE_FOLDER_OCCUPIED', 'thesis.tex');
    await assertCannotRun(['copy', join(folder, 'nowhere'), join(folder, 'x')], 'STORE_NOT_FOUND');
    assert.deepEqual(await readdir(foreign), ['thesis.tex']);
  });

  test('a damaged table is not copied in silence', async (t) => {
    const { from, to } = await makeIndex(t, 15);
    const table = join(from, 'lance/default.0123456789ab.images.lance');
    await rm(join(table, 'data'), { recursive: true });
    await copyIndexTo(from, to).then(
      async () => assert.fail('the data of a table is gone'),
      (error: unknown) =>
        assert.ok(error instanceof VlmoError && error.code.startsWith('STORE_'), String(error)),
    );
    assert.ok(!(await isThere(join(to, 'vlmo-index.json'))));
  });

  test('vlmo copy says what it copied, and that it is the same index', async (t) => {
    const { from, to } = await makeIndex(t, 15);
    const ran = await vlmo(['copy', from, to]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /default\.0123456789ab\.captions +15 +[\d,]+ +[0-9a-f]{12}\n/);
    assert.match(ran.stdout, /\nCopied to .*to in .* s, every file compared\.\n$/);
    assert.match(ran.stderr, /vlmo doctor --index \S+ --new-id\n$/);
  });
});
