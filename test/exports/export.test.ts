import assert from 'node:assert/strict';
import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { tableFromIPC } from 'apache-arrow';
import { VlmoError } from '#errors.ts';
import { type ExportRequest, LAYOUTS } from '#exports/request.ts';
import { floatToHalf, HALF_VALUES, halfToFloat } from '#float16.ts';
import { readParquet } from '#parquet.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import { openStore } from '#store/lance/open-store.ts';
import { ended, startVlmo, vlmo, vlmoJson } from '../cli/cli-fixture.ts';
import { mountDisk, remount } from '../cli/disk.ts';
import { fixture } from '../fixtures/files.ts';
import {
  captionRow,
  closeAfter,
  failureRecord,
  generationSpec,
  imageRow,
  temporaryFolder,
  unitVectors,
} from '../store/lance/store-fixture.ts';

const DIMENSIONS = 32;
const HALVES_IN_HEADER = 64;

interface Scene {
  readonly folder: string;
  readonly path: string;
  readonly index: OpenIndex;
}

/** An index of pictures, of which the even ones have captions, the smallest id last. */
async function makeIndex(t: TestContext, count: number): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'index');
  await using store = await openStore(path, { create: true });
  const { images, captions } = await store.openGeneration(generationSpec({ dimensions: DIMENSIONS }));
  const rows = Array.from({ length: count }, (_, n) =>
    imageRow(`${n}.jpg`, { width: n, meta: { year: 2000 + n } }),
  );
  const texts = rows.flatMap(({ id }, n) =>
    n % 2 === 0
      ? [1, 0].map((i) => captionRow(`${id}#${i}`, { imageId: id, caption: `${i} of "${n}"` }))
      : [],
  );
  await images.upsert({ rows, vectors: unitVectors(rows.length, DIMENSIONS) });
  if (texts.length > 0)
    await captions.upsert({ rows: texts, vectors: unitVectors(texts.length, DIMENSIONS) });
  await store.failures.upsert([
    failureRecord('gone', { code: 'ITEM_NOT_FOUND', uri: 'https://example.org/gone.jpg', message: '404' }),
    failureRecord('broken', { code: 'IMAGE_INVALID' }),
  ]);
  return { folder, path, index: closeAfter(t, await openIndex(path)) };
}

interface Row extends Record<string, unknown> {
  readonly key: string;
  readonly vector: readonly number[];
}

async function names(folder: string): Promise<string[]> {
  return (await readdir(folder)).sort();
}

async function eachFile<T>(folder: string, read: (path: string) => Promise<T[]>): Promise<T[]> {
  const all: T[] = [];
  for (const name of await names(folder)) all.push(...(await read(join(folder, name))));
  return all;
}

const READERS = {
  parquet: (path: string) => readParquet(path) as Promise<unknown> as Promise<Row[]>,
  jsonl: async (path: string) =>
    (await readFile(path, 'utf8'))
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Row),
  arrow: async (path: string) =>
    tableFromIPC(await readFile(path))
      .toArray()
      .map((row) => ({ ...row.toJSON(), vector: Array.from(row.vector as Float32Array) }) as Row),
};

/** What a `.npy` file holds behind its header. */
async function readHalves(path: string): Promise<Uint16Array> {
  const bytes = await readFile(path);
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)).slice(
    HALVES_IN_HEADER,
  );
}

function isCode(code: string) {
  return (error: unknown): boolean => error instanceof VlmoError && error.code === code;
}

/** The stored vectors of some keys, as float32 values. */
async function storedVectors(path: string, kind: 'images' | 'captions', keys: readonly string[]) {
  await using store = await openStore(path, { create: false });
  const [record] = await store.generations();
  assert.ok(record);
  return await (await store.tables(record))[kind].findVectors(keys);
}

describe('export', { timeout: 300_000 }, () => {
  for (const to of ['parquet', 'jsonl', 'arrow'] as const) {
    test(`${to}: every row once, with its own vector and columns, in parts of bounded rows`, async (t) => {
      const { folder, path, index } = await makeIndex(t, 10);
      const out = join(folder, 'out');
      const exported = await index.export({ to, out, partRows: 4, failures: true });
      assert.deepEqual(exported.tables, {
        images: { rows: 10, parts: 3 },
        captions: { rows: 10, parts: 3 },
        failures: { rows: 2, parts: 1 },
      });
      assert.deepEqual(await names(out), ['captions', 'export.json', 'failures', 'images']);
      const files = [0, 1, 2].map((part) => `images_0${part}.${to}`);
      assert.deepEqual(await names(join(out, 'images')), files);

      const images = await eachFile(join(out, 'images'), READERS[to]);
      const vectors = await storedVectors(
        path,
        'images',
        images.map(({ key }) => key),
      );
      assert.equal(vectors.size, 10);
      for (const { key, vector } of images)
        assert.deepEqual(halfToFloat(floatToHalf(Float32Array.from(vector))), vectors.get(key));
      const [six] = images.filter(({ id }) => id === '6.jpg');
      const expected = { width: 6, height: 480, uri: 'file:///6.jpg', caption: '0 of "6"', format: 'jpeg' };
      for (const [name, value] of Object.entries(expected)) assert.equal(six?.[name], value, name);
      assert.equal(Number(six?.bytes), 12_345);
      const meta = six?.meta;
      assert.deepEqual(typeof meta === 'string' ? JSON.parse(meta) : meta, { year: 2006 });
      assert.equal(
        new Date(six?.indexed_at as string | number | Date).toISOString(),
        '2024-05-06T07:08:09.123Z',
      );
      assert.equal(images.find(({ id }) => id === '3.jpg')?.caption, null);

      const captions = await eachFile(join(out, 'captions'), READERS[to]);
      const second = captions.find(({ id }) => id === '8.jpg#1');
      assert.deepEqual([second?.caption, second?.image_id], ['1 of "8"', '8.jpg']);
      assert.equal(second?.image_key, images.find(({ id }) => id === '8.jpg')?.key);
    });
  }

  test('clip-retrieval: files as numpy writes them, one order of rows, its own columns first', async (t) => {
    const folder = await temporaryFolder(t);
    const read = async (name: string) => halfToFloat(await readHalves(fixture(`clip-retrieval/${name}`)));
    const path = join(folder, 'index');
    await using store = await openStore(path, { create: true });
    const { images, captions } = await store.openGeneration(generationSpec({ dimensions: DIMENSIONS }));
    for (const part of ['00', '01']) {
      const rows = [0, 1, 2].map((n) =>
        imageRow(`${part}-${n}`, {
          uri: n === 0 ? `https://example.org/${part}.jpg` : `/pictures/${part}-${n}`,
        }),
      );
      await images.upsert({ rows, vectors: await read(`img_emb/img_emb_${part}.npy`) });
      const texts = rows.map(({ id }) => captionRow(`${id}#0`, { imageId: id, caption: `text of ${id}` }));
      await captions.upsert({ rows: texts, vectors: await read(`text_emb/text_emb_${part}.npy`) });
    }
    await using index = await openIndex(path);
    const out = join(folder, 'out');
    await index.export({ to: 'clip-retrieval', out, partRows: 3 });
    for (const kind of ['img_emb', 'text_emb'])
      for (const part of ['00', '01']) {
        const name = `${kind}/${kind}_${part}.npy`;
        assert.deepEqual(await readFile(join(out, name)), await readFile(fixture(`clip-retrieval/${name}`)));
      }
    assert.deepEqual(await names(join(out, 'metadata')), ['metadata_00.parquet', 'metadata_01.parquet']);
    const rows = await readParquet(join(out, 'metadata/metadata_01.parquet'));
    assert.deepEqual(Object.keys(rows[0] ?? {}).slice(0, 3), ['image_path', 'caption', 'url']);
    assert.deepEqual(
      rows.map(({ image_path, caption, url, id }) => ({ image_path, caption, url, id })),
      [
        {
          image_path: 'https://example.org/01.jpg',
          caption: 'text of 01-0',
          url: 'https://example.org/01.jpg',
          id: '01-0',
        },
        { image_path: '/pictures/01-1', caption: 'text of 01-1', url: null, id: '01-1' },
        { image_path: '/pictures/01-2', caption: 'text of 01-2', url: null, id: '01-2' },
      ],
    );
  });

  test('clip-retrieval: the first caption of each picture with its vector; zeros and null where there is none', async (t) => {
    const { folder, path, index } = await makeIndex(t, 5);
    const out = join(folder, 'out');
    await index.export({ to: 'clip-retrieval', out });
    const rows = await readParquet(join(out, 'metadata/metadata_00.parquet'));
    const text = halfToFloat(await readHalves(join(out, 'text_emb/text_emb_00.npy')));
    assert.equal(text.length, 5 * DIMENSIONS);
    const keys = rows.flatMap(({ caption_key }) => (typeof caption_key === 'string' ? [caption_key] : []));
    const vectors = await storedVectors(path, 'captions', keys);
    for (const [i, { id, caption, caption_key }] of rows.entries()) {
      const n = Number.parseInt(String(id), 10);
      const vector = text.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS);
      assert.equal(caption, n % 2 === 0 ? `0 of "${n}"` : null);
      assert.deepEqual(vector, vectors.get(String(caption_key)) ?? new Float32Array(DIMENSIONS));
    }
    const captions = join(folder, 'captions');
    await index.export({ to: 'clip-retrieval', in: 'captions', out: captions });
    assert.deepEqual(await names(captions), ['export.json', 'metadata', 'text_emb']);
    const [first] = await readParquet(join(captions, 'metadata/metadata_00.parquet'));
    assert.equal(Object.keys(first ?? {})[0], 'caption');
  });

  test('npy: vectors and keys side by side', async (t) => {
    const { folder, path, index } = await makeIndex(t, 7);
    const out = join(folder, 'out');
    await index.export({ to: 'npy', in: 'images', out, partRows: 5 });
    assert.deepEqual(await names(out), ['export.json', 'images', 'images_keys']);
    const bytes = await readFile(join(out, 'images_keys/images_keys_01.npy'));
    assert.match(bytes.toString('latin1', 0, 128), /'descr': '\|S22', .*'shape': \(2,\), }\s+\n$/);
    const keys = [bytes.toString('latin1', 128, 150), bytes.toString('latin1', 150, 172)];
    const stored = await storedVectors(path, 'images', keys);
    const halves = await readHalves(join(out, 'images/images_01.npy'));
    for (const [i, key] of keys.entries())
      assert.deepEqual(halfToFloat(halves.slice(i * DIMENSIONS, (i + 1) * DIMENSIONS)), stored.get(key));
  });

  test("failures in img2dataset's columns", async (t) => {
    const { folder, index } = await makeIndex(t, 1);
    const out = join(folder, 'out');
    await index.export({ to: 'npy', out, failures: true });
    const rows = await readParquet(join(out, 'failures/failures_00.parquet'));
    assert.deepEqual(Object.keys(rows[0] ?? {}).slice(0, 4), ['url', 'key', 'status', 'error_message']);
    const gone = rows.find(({ id }) => id === 'gone');
    assert.deepEqual(
      [gone?.url, gone?.status, gone?.error_message],
      ['https://example.org/gone.jpg', 'failed_to_download', '404'],
    );
    assert.equal(rows.find(({ id }) => id === 'broken')?.status, 'failed_to_resize');
  });

  test('where, in and generation choose the rows; what is wrong is refused', async (t) => {
    const { folder, path, index } = await makeIndex(t, 9);
    const ids = async (name: string, request: Partial<ExportRequest>) => {
      const out = join(folder, name);
      await index.export({ to: 'jsonl', out, ...request });
      const kinds = (await names(out)).filter((one) => one !== 'export.json');
      const rows = await Promise.all(kinds.map((kind) => eachFile(join(out, kind), READERS.jsonl)));
      return rows.flat().map(({ id }) => id as string);
    };
    assert.deepEqual(await ids('a', { where: 'width >= 7' }), ['7.jpg', '8.jpg']);
    assert.deepEqual(await ids('b', { where: 'caption = \'1 of "4"\'', in: 'captions' }), ['4.jpg#1']);
    assert.equal((await ids('c', { in: 'captions' })).length, 10);
    const other = generationSpec({ dimensions: DIMENSIONS, fingerprint: 'f'.repeat(64) });
    await using store = await openStore(path, { create: false, write: true });
    const { images, record } = await store.openGeneration(other);
    await images.upsert({ rows: [imageRow('of another model')], vectors: unitVectors(1, DIMENSIONS) });
    assert.deepEqual(await ids('d', { generation: record.name }), ['of another model']);
    const asked = { to: 'jsonl', out: join(folder, 'e') } as const;
    await assert.rejects(index.export({ ...asked, generation: 'none' }), isCode('GENERATION_NOT_FOUND'));
    await assert.rejects(index.export({ ...asked, where: 'width >' }), isCode('FILTER_INVALID'));
    await assert.rejects(index.export({ ...asked, partRows: 0 }), isCode('REQUEST_INVALID'));
  });

  test('nothing matches: one file of no rows, which readers take', async (t) => {
    const { folder, index } = await makeIndex(t, 3);
    for (const to of ['parquet', 'arrow', 'npy', 'clip-retrieval'] as const)
      await index.export({ to, out: join(folder, to), where: 'width > 1000' });
    assert.deepEqual(await readParquet(join(folder, 'parquet/images/images_00.parquet')), []);
    assert.equal(tableFromIPC(await readFile(join(folder, 'arrow/images/images_00.arrow'))).numRows, 0);
    assert.equal((await readHalves(join(folder, 'npy/images/images_00.npy'))).length, 0);
    assert.equal((await readHalves(join(folder, 'clip-retrieval/img_emb/img_emb_00.npy'))).length, 0);
  });

  test('the same call again finds it whole; another one, a changed index and a foreign folder are refused', async (t) => {
    const { folder, path, index } = await makeIndex(t, 4);
    const out = join(folder, 'out');
    await index.export({ to: 'npy', out });
    const again = await index.export({ to: 'npy', out });
    assert.deepEqual([again.isWhole, again.written, again.kept], [true, 0, 8]);
    await assert.rejects(index.export({ to: 'jsonl', out }), isCode('RESULTS_CONFLICT'));
    const foreign = join(folder, 'foreign');
    await mkdir(foreign);
    await writeFile(join(foreign, 'thesis.tex'), '');
    await assert.rejects(index.export({ to: 'npy', out: foreign }), isCode('RESULTS_CONFLICT'));
    assert.deepEqual(await names(foreign), ['thesis.tex']);
    await assert.rejects(
      index.export({ to: 'npy', out: join(foreign, 'thesis.tex') }),
      isCode('RESULTS_UNWRITABLE'),
    );
    await using store = await openStore(path, { create: false });
    const [record] = await store.generations();
    assert.ok(record);
    await (await store.tables(record)).images.delete([imageRow('0.jpg').key]);
    await assert.rejects(index.export({ to: 'npy', out }), isCode('RESULTS_CONFLICT'));
  });

  test('stopped: no file is half, and the same call goes on with what is missing', async (t) => {
    const { folder, index } = await makeIndex(t, 50);
    const out = join(folder, 'out');
    const stopping = new AbortController();
    const asked = { to: 'parquet', in: 'images', out, partRows: 20 } as const;
    let part: Promise<unknown> | undefined;
    const stopped = await index.export(asked, {
      signal: stopping.signal,
      onStart: () => {
        part = setTimeout(0).then(() => stopping.abort());
      },
    });
    await part;
    assert.equal(stopped.isWhole, false);
    await assert.rejects(access(join(out, 'export.json')));
    const finished = await index.export(asked);
    assert.equal(finished.kept + finished.written, 50);
    assert.equal(finished.kept, stopped.written);
    const rows = await eachFile(join(out, 'images'), READERS.parquet);
    assert.equal(new Set(rows.map(({ key }) => key)).size, 50);
    assert.equal(rows.length, 50);
  });

  test('vlmo export killed -9 in the middle: whole parts stay as they are, and the rerun writes the rest', async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, 'index');
    const count = 30_000;
    const store = await openStore(path, { create: true });
    const { images } = await store.openGeneration(generationSpec({ dimensions: 64 }));
    const rows = Array.from({ length: count }, (_, n) => imageRow(`${n}`));
    await images.upsert({ rows, vectors: unitVectors(count, 64) });
    await store.close();
    const out = join(folder, 'out');
    const asked = ['export', out, '--to', 'clip-retrieval', '--index', path, '--part-rows', '1000'];
    const victim = startVlmo(asked);
    const isThere = (name: string): Promise<boolean> =>
      access(join(out, name)).then(
        () => true,
        () => false,
      );
    while (!(await isThere('metadata/metadata_03.parquet'))) await setTimeout(1);
    victim.kill('SIGKILL');
    assert.equal((await ended(victim)).signal, 'SIGKILL');
    assert.ok(!(await isThere('export.json')), 'it is killed in the middle');
    // What lies under its own name is whole.
    for (const name of await names(join(out, 'img_emb')))
      assert.equal((await readHalves(join(out, 'img_emb', name))).length, 64_000);
    for (const name of await names(join(out, 'metadata')))
      assert.equal((await readParquet(join(out, 'metadata', name), ['key'])).length, 1000);
    const before = await readFile(join(out, 'metadata/metadata_02.parquet'));

    const { lines } = await vlmoJson<{ written: number; kept: number }>([...asked, '--json']);
    assert.ok((lines[0]?.kept ?? 0) >= 3000);
    assert.equal((lines[0]?.written ?? 0) + (lines[0]?.kept ?? 0), count);
    assert.deepEqual(await readFile(join(out, 'metadata/metadata_02.parquet')), before);
    assert.deepEqual(await names(out), ['export.json', 'img_emb', 'metadata']);
    const keys = await eachFile(join(out, 'metadata'), (file) => readParquet(file, ['key']));
    assert.equal(new Set(keys.map(({ key }) => key)).size, count);
    assert.equal(keys.length, count);
    const parts = await names(join(out, 'img_emb'));
    const halves = await Promise.all(parts.map((name) => readHalves(join(out, 'img_emb', name))));
    assert.equal(
      halves.reduce((sum, { length }) => sum + length, 0),
      count * 64,
    );
  });

  for (const to of LAYOUTS) {
    test(`${to}: a disk that fills up is an error; with room again, the same call finishes`, async (t) => {
      const { folder, index } = await makeIndex(t, 2000);
      const place = join(folder, 'disk');
      await mkdir(place);
      using disk = mountDisk(place, '128k');
      if (!disk) return t.skip('mounting a disk needs root');
      const asked = { to, in: 'images', out: join(place, 'out'), partRows: 700 } as const;
      await assert.rejects(index.export(asked), (error: unknown) => {
        assert.ok(error instanceof VlmoError);
        assert.deepEqual([error.code, /no space left/i.test(error.message)], ['RESULTS_UNWRITABLE', true]);
        return true;
      });
      remount(place, 'size=64m');
      const finished = await index.export(asked);
      assert.deepEqual([finished.isWhole, finished.written + finished.kept], [true, 2000]);
    });
  }

  test('jsonl: each number is the shortest that is the same float16 number', async (t) => {
    const { folder, index } = await makeIndex(t, 2);
    const out = join(folder, 'out');
    await index.export({ to: 'jsonl', in: 'images', out });
    const [row] = await eachFile(join(out, 'images'), READERS.jsonl);
    for (const value of row?.vector ?? []) assert.ok(String(value).length <= 11, String(value));
    const all = HALF_VALUES.filter((value) => Number.isFinite(value) && value !== 0);
    const texts = all.map((value) => Number(value.toPrecision(5)));
    assert.deepEqual(halfToFloat(floatToHalf(texts)), all);
  });

  test('vlmo export says what it did, and what is left out', async (t) => {
    const { folder, path } = await makeIndex(t, 4);
    const ran = await vlmo(['export', join(folder, 'out'), '--to', 'clip-retrieval', '--index', path]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^Wrote 4 rows in .*\npairs: 4 rows in 1 part\nExport: .*out\n$/);
    assert.match(
      ran.stderr,
      /first caption; vlmo export --index \S+ --to parquet OUT has the other captions/,
    );
    await rm(join(folder, 'out'), { recursive: true });
  });
});
