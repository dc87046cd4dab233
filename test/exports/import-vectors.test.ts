import assert from 'node:assert/strict';
import { access, cp, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { VlmoError } from '#errors.ts';
import { floatToHalf, halfToFloat } from '#float16.ts';
import { writeParquet } from '#parquet.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import type { FailureRecord } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { assertCannotRun, ended, startVlmo, vlmo, vlmoJson } from '../cli/cli-fixture.ts';
import { fixture } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import {
  captionRow,
  closeAfter,
  generationSpec,
  imageRow,
  temporaryFolder,
  unitVectors,
} from '../store/lance/store-fixture.ts';
import { npyBytes, writeVectorFolder } from './vector-files.ts';

const NUMPY = fixture('clip-retrieval');
const SMALL = { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 } as const;

async function newIndex(t: TestContext, folder: string, model?: string): Promise<OpenIndex> {
  return closeAfter(t, await openIndex(join(folder, 'index'), { ...SMALL, create: true, model }));
}

function isCode(code: string, message = /./) {
  return (error: unknown): boolean =>
    error instanceof VlmoError && error.code === code && message.test(error.message);
}

async function failuresOf(index: OpenIndex): Promise<FailureRecord[]> {
  const all: FailureRecord[] = [];
  for await (const failure of index.failures()) all.push(failure);
  return all.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A vector of four values with one that is not 0. */
function unit(at: number): number[] {
  return [0, 1, 2, 3].map((i) => (i === at ? 1 : 0));
}

describe('import-vectors', { timeout: 300_000 }, () => {
  test('a folder that numpy and pyarrow wrote: every row with its own vector, caption and columns, once', async (t) => {
    const index = await newIndex(t, await temporaryFolder(t));
    const imported = await index.importVectors(NUMPY);
    assert.deepEqual(
      [imported.state, imported.rows, imported.parts, imported.dimensions, imported.normalised],
      ['complete', 6, 2, 32, 0],
    );
    assert.deepEqual([imported.stored, imported.failed], [12, 0]);
    const { hits } = await index.search({ id: 'p/1-2.jpg' });
    assert.equal(hits.length, 6);
    assert.deepEqual(
      [hits[0]?.id, hits[0]?.caption, hits[0]?.meta],
      ['p/1-2.jpg', 'part 1 row 2', { key: '000010002' }],
    );
    assert.equal(hits[0]?.uri, join(NUMPY, 'p/1-2.jpg'));
    assert.ok(Math.abs((hits[0]?.score ?? 0) - 1) < 1e-3);
    const again = await index.importVectors(NUMPY);
    assert.deepEqual([again.stored, again.skipped, again.failed], [0, 12, 0]);
    assert.deepEqual(await index.counts(), { images: 6, captions: 6 });
    const [run] = await index.runs();
    assert.deepEqual([run?.record.source, run?.record.state, run?.seen], [NUMPY, 'complete', 12]);
  });

  test('float32, unpadded names: parts in the order of their numbers, vectors as exact as float16 is', async (t) => {
    const folder = await temporaryFolder(t);
    const vectors = unitVectors(12, 4);
    const row = (n: number): number[] => Array.from(vectors.subarray(n * 4, n * 4 + 4));
    const parts = Array.from({ length: 12 }, (_, n) => ({ name: String(n), images: [row(n)] }));
    await writeVectorFolder(join(folder, 'vectors'), parts);
    const index = await newIndex(t, folder);
    await index.importVectors(join(folder, 'vectors'));
    const ids: string[] = [];
    for await (const { id } of index.items()) ids.push(id);
    assert.deepEqual(
      ids,
      parts.map(({ name }) => `${name}-0.jpg`),
    );
    const { hits } = await index.search({ vector: row(10), k: 1 });
    const rounded = halfToFloat(floatToHalf(Float32Array.from(row(10))));
    const cosine = rounded.reduce((sum, value, i) => sum + value * (row(10)[i] ?? 0), 0);
    assert.equal(hits[0]?.id, '10-0.jpg');
    assert.ok(Math.abs((hits[0]?.score ?? 0) - cosine) < 1e-6);
  });

  test('without metadata, pictures are known by part and row; without texts there are no captions', async (t) => {
    const folder = await temporaryFolder(t);
    const vectors = join(folder, 'vectors');
    await writeVectorFolder(vectors, [{ name: '7', images: [unit(0), unit(1)] }]);
    await rm(join(vectors, 'metadata'), { recursive: true });
    await rm(join(vectors, 'text_emb'), { recursive: true });
    const index = await newIndex(t, folder);
    await index.importVectors(vectors, { sourceName: 'mine' });
    const { hits } = await index.search({ id: '7/1', k: 1 });
    assert.deepEqual([hits[0]?.id, hits[0]?.source], ['7/1', 'mine']);
    assert.deepEqual(await index.counts(), { images: 2, captions: 0 });
  });

  test('not finite, all 0 or known already: refused and listed; of another length: normalised and said; mended: stored', async (t) => {
    const folder = await temporaryFolder(t);
    const vectors = join(folder, 'vectors');
    const images = [
      unit(0),
      [Number.NaN, 0, 0, 1],
      [0, Number.POSITIVE_INFINITY, 0, 0],
      [0, 0, 0, 0],
      [0, 3, 0, 4],
    ];
    const part = { name: '0', images: [...images, unit(2)], texts: [0, 1, 2, 3, 0, 1].map(unit) };
    const paths = ['a', 'b', 'c', 'd', 'e', 'a'];
    await writeVectorFolder(vectors, [{ ...part, paths }]);
    const ran = await vlmo(['import-vectors', vectors, '--index', join(folder, 'index')]);
    assert.equal(ran.code, 2, ran.stderr);
    assert.match(
      ran.stdout,
      /^Stored 2 pictures and 5 captions of 4 values .* 5 failed\.\n1 vector had not unit/,
    );
    const index = await newIndex(t, folder);
    const failures = await failuresOf(index);
    assert.deepEqual(
      failures.map(({ id, kind, code }) => [id, kind, code]),
      [
        ['0/5 caption', 'broken', 'SOURCE_ROW_INVALID'],
        ['0/5 image', 'broken', 'SOURCE_ROW_INVALID'],
        ['b', 'image', 'VECTOR_INVALID'],
        ['c', 'image', 'VECTOR_INVALID'],
        ['d', 'image', 'VECTOR_INVALID'],
      ],
    );
    assert.match(failures[2]?.message ?? '', /"b" \(row 0\/1\): expected .* received NaN or infinity$/);
    const { hits } = await index.search({ vector: [0, 0.6, 0, 0.8], k: 1 });
    assert.equal(hits[0]?.id, 'e');
    assert.ok(Math.abs((hits[0]?.score ?? 0) - 1) < 1e-3);

    const again = await index.importVectors(vectors);
    assert.deepEqual([again.stored, again.skipped, again.failed], [0, 7, 5]);
    assert.equal((await failuresOf(index)).length, 5);
    const mended = { ...part, images: [0, 1, 2, 3, 0, 1].map(unit), paths: ['a', 'b', 'c', 'd', 'e', 'f'] };
    await writeVectorFolder(vectors, [mended]);
    const third = await index.importVectors(vectors);
    assert.deepEqual([third.failed, await failuresOf(index)], [0, []]);
    assert.deepEqual(await index.counts(), { images: 6, captions: 6 });
    // A row that fails now is not found by what it was before.
    await writeVectorFolder(vectors, [
      { ...mended, images: [[Number.NaN, 0, 0, 0], ...mended.images.slice(1)] },
    ]);
    assert.equal((await index.importVectors(vectors)).failed, 1);
    assert.deepEqual(await index.counts(), { images: 5, captions: 6 });
  });

  test('names that are longer than any source may have: the rows are listed, the others stored', async (t) => {
    const folder = await temporaryFolder(t);
    const vectors = join(folder, 'vectors');
    const paths = ['a', 'b'.repeat(5000), 'c'];
    await writeVectorFolder(vectors, [{ name: '0', images: [0, 1, 2].map(unit), paths }]);
    const index = await newIndex(t, folder);
    const imported = await index.importVectors(vectors);
    assert.deepEqual([imported.stored, imported.failed], [4, 2]);
    const failures = await failuresOf(index);
    assert.deepEqual(
      failures.map(({ id, code }) => [id, code]),
      [
        ['0/1 caption', 'SOURCE_ROW_INVALID'],
        ['0/1 image', 'SOURCE_ROW_INVALID'],
      ],
    );
    assert.match(failures[1]?.message ?? '', /id of at most 4096 characters, received 5000/);
    assert.equal((await index.importVectors(vectors)).skipped, 4);
  });

  const bytes = (count: number): Buffer => Buffer.alloc(count);
  const IMAGES = 'img_emb/img_emb_01.npy';
  const MALFORMED: Readonly<Record<string, readonly [RegExp, (folder: string) => Promise<void>]>> = {
    'fewer vectors of texts than of pictures': [
      /expected 3 rows, as its pictures have, received 2/,
      (folder) => writeFile(join(folder, 'text_emb/text_emb_01.npy'), npyBytes('<f2', [2, 32], bytes(128))),
    ],
    'more rows of metadata than of vectors': [
      /metadata_01.parquet": expected 3 rows, as its vectors have, received 4/,
      (folder) =>
        writeParquet(
          join(folder, 'metadata/metadata_01.parquet'),
          { caption: 'STRING' },
          Array.from({ length: 4 }, () => ({ caption: 'x' })),
        ),
    ],
    'a part that is not there': [
      /metadata": expected a part 1, received none/,
      (folder) => unlink(join(folder, 'metadata/metadata_01.parquet')),
    ],
    'a part too many': [
      /text_emb": expected the parts that there are vectors of, received part 2 too/,
      (folder) => writeFile(join(folder, 'text_emb/text_emb_2.npy'), npyBytes('<f2', [1, 32], bytes(64))),
    ],
    'two files of one number': [
      /expected one file of number 1, received two/,
      (folder) => cp(join(folder, IMAGES), join(folder, 'img_emb/img_emb_1.npy')),
    ],
    'vectors of another length': [
      /expected vectors of 32 values, as the others, received 16/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('<f2', [3, 16], bytes(96))),
    ],
    float64: [
      /expected float16 or float32, .* received <f8/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('<f8', [3, 32], bytes(768))),
    ],
    'big-endian': [
      /received >f2/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('>f2', [3, 32], bytes(192))),
    ],
    'objects, which only running a program could read': [
      /received \|O/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('|O', [3, 32], bytes(192))),
    ],
    records: [
      /received values of another type/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes("[('a', '<f2')]", [3, 32], bytes(192))),
    ],
    'Fortran order': [
      /received columns behind each other/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('<f2', [3, 32], bytes(192), true)),
    ],
    'one dimension': [
      /expected a shape .* received \(96,\)/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('<f2', [96], bytes(192))),
    ],
    'three dimensions': [
      /received \(3, 4, 8\)/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('<f2', [3, 4, 8], bytes(192))),
    ],
    'more values than a vector has': [
      /received \(3, 1000000\)/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('<f2', [3, 1_000_000], bytes(192))),
    ],
    'rows beyond all counting': [
      /expected \d+ bytes by its header|expected a shape/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('<f2', [2 ** 52, 32], bytes(192))),
    ],
    'a file that ends in the middle': [
      /expected 320 bytes by its header, received 318/,
      (folder) => writeFile(join(folder, IMAGES), npyBytes('<f2', [3, 32], bytes(190))),
    ],
    'an empty file': [/expected a .npy file/, (folder) => writeFile(join(folder, IMAGES), '')],
    'a header of megabytes': [
      /expected a header of at most/,
      (folder) => writeFile(join(folder, IMAGES), Buffer.from('\x93NUMPY\x02\0\0\0\0\x7f      ', 'latin1')),
    ],
    'metadata that is no Parquet': [
      /expected a Parquet file/,
      (folder) => writeFile(join(folder, 'metadata/metadata_00.parquet'), 'PAR1, or so it says: PAR1'),
    ],
    'no vectors': [
      /expected img_emb\/img_emb_0.npy or text_emb/,
      async (folder) => {
        await rm(join(folder, 'img_emb'), { recursive: true });
        await rm(join(folder, 'text_emb'), { recursive: true });
      },
    ],
  };
  test('what does not go together, or is no table of vectors, is refused before anything is made', async (t) => {
    const folder = await temporaryFolder(t);
    for (const [what, [message, damage]] of Object.entries(MALFORMED)) {
      const vectors = join(folder, what.replaceAll(' ', '-'));
      await cp(NUMPY, vectors, { recursive: true });
      await damage(vectors);
      const index = join(folder, 'index');
      const ran = await vlmo(['import-vectors', vectors, '--index', index]);
      assert.equal(ran.code, 1, what);
      assert.match(ran.stderr, /^vlmo: Cannot import vectors from .* \[VECTORS_MALFORMED\]\n$/, what);
      assert.match(ran.stderr, message, what);
      await assert.rejects(access(index), what);
    }
    await assertCannotRun(
      ['import-vectors', join(folder, 'nowhere'), '--index', join(folder, 'index')],
      'SOURCE_NOT_FOUND',
      'expected a folder',
    );
  });

  test('of no known model: texts are refused with what to do, keys and vectors are answered', async (t) => {
    const folder = await temporaryFolder(t);
    const model = await importTiny(folder);
    const path = join(folder, 'index');
    const index = await newIndex(t, folder);
    await index.importVectors(NUMPY);
    await index.warm();
    await assert.rejects(
      index.search({ text: 'red' }),
      isCode('MODEL_UNKNOWN', /--id or --key.*--model FOLDER, of 32/),
    );
    await assert.rejects(index.embed({ texts: ['red'] }), isCode('MODEL_UNKNOWN'));
    await assert.rejects(index.search({ text: 'red', keys: [{ key: 'x' }] }), VlmoError);
    await assertCannotRun(['index', NUMPY, '--index', path, '--device', 'cpu'], 'USAGE_INVALID', '--model');
    const [hit] = (await index.search({ id: 'p/0-0.jpg', in: 'captions', k: 1 })).hits;
    assert.ok(hit);
    assert.equal((await index.search({ key: hit.key, in: 'captions', k: 1 })).hits[0]?.key, hit.key);

    await assertCannotRun(
      ['search', 'red', '--index', path, '--model', model, '--device', 'cpu'],
      'SEARCH_MODEL_MISMATCH',
      'vectors have 32 values',
    );
    await using other = await openIndex(join(folder, 'other'), { ...SMALL, create: true, model });
    await assert.rejects(
      other.importVectors(NUMPY),
      isCode('SEARCH_MODEL_MISMATCH', /expected \d+ values, as it makes/),
    );
    assert.deepEqual(await other.generations(), []);
  });

  test('a model of the right length answers texts where it is named, at the import or at the search', async (t) => {
    const folder = await temporaryFolder(t);
    const model = await importTiny(folder);
    await using teacher = await openIndex(join(folder, 'teacher'), { ...SMALL, create: true, model });
    const source = join(folder, 'captions.jsonl');
    const captions = ['red apple', 'two dogs', 'a boat'];
    await writeFile(source, captions.map((caption, n) => JSON.stringify({ id: `${n}`, caption })).join('\n'));
    await teacher.index(source);
    const out = join(folder, 'out');
    await teacher.export({ to: 'clip-retrieval', in: 'captions', out });
    const asked = { text: 'two dogs', in: 'captions', k: 3 } as const;
    const { hits } = await teacher.search(asked);

    const named = await openIndex(join(folder, 'named'), { ...SMALL, create: true, model });
    closeAfter(t, named);
    await named.importVectors(out);
    assert.deepEqual((await named.search(asked)).hits, hits);
    assert.equal((await named.serving()).fingerprint, (await teacher.serving()).fingerprint);

    // Nothing says what made them.
    await unlink(join(out, 'export.json'));
    const unnamed = await openIndex(join(folder, 'unnamed'), { ...SMALL, create: true });
    closeAfter(t, unnamed);
    await unnamed.importVectors(out);
    await assert.rejects(unnamed.search(asked), isCode('MODEL_UNKNOWN'));
    const later = await openIndex(join(folder, 'unnamed'), { ...SMALL, model });
    closeAfter(t, later);
    assert.deepEqual((await later.search(asked)).hits, hits);
    const believed = await openIndex(join(folder, 'believed'), { ...SMALL, create: true, model });
    closeAfter(t, believed);
    await believed.importVectors(out);
    await using reopened = await openIndex(join(folder, 'believed'), SMALL);
    assert.deepEqual((await reopened.search(asked)).hits, hits);
  });

  test('export and import again: the same items under the same keys, and the same hits', async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, 'from');
    const count = 300;
    {
      await using store = await openStore(path, { create: true });
      const { images, captions } = await store.openGeneration(generationSpec({ dimensions: 32 }));
      const rows = Array.from({ length: count }, (_, n) =>
        imageRow(`${n}`, { source: n % 2 ? 'odd' : 'even', width: n, meta: { year: n, tags: ['a', null] } }),
      );
      await images.upsert({ rows, vectors: unitVectors(count, 32) });
      const texts = rows.map(({ id, source }) => captionRow(`${id}#0`, { source, imageId: id }));
      await captions.upsert({ rows: texts, vectors: unitVectors(count, 32).reverse() });
    }
    await using from = await openIndex(path);
    const out = join(folder, 'out');
    await from.export({ to: 'clip-retrieval', out, partRows: 77 });
    const to = await newIndex(t, folder);
    const imported = await to.importVectors(out);
    assert.deepEqual([imported.stored, imported.failed, imported.normalised], [2 * count, 0, 0]);
    for (const [id, source, target] of [
      ['17', 'odd', 'images'],
      ['200', 'even', 'captions'],
    ] as const) {
      const asked = { id, source, in: target, k: 50, where: 'meta.year >= 0' };
      const request = target === 'images' ? asked : { ...asked, where: undefined };
      assert.deepEqual((await to.search(request)).hits, (await from.search(request)).hits);
    }
  });

  test('killed -9 in the middle: the rerun stores the rest, and no row twice', async (t) => {
    const folder = await temporaryFolder(t);
    const vectors = join(folder, 'vectors');
    const count = 90_000;
    const all = unitVectors(count, 8);
    const images = Array.from({ length: count }, (_, n) => Array.from(all.subarray(n * 8, n * 8 + 8)));
    await writeVectorFolder(vectors, [
      { name: '0', images: images.slice(0, 80_000) },
      { name: '1', images: images.slice(80_000) },
    ]);
    const path = join(folder, 'index');
    const victim = startVlmo(['import-vectors', vectors, '--index', path]);
    const stored = async (): Promise<number> => {
      try {
        await using store = await openStore(path, { create: false });
        const record = await store.activeGeneration('default');
        return record ? await (await store.tables(record)).images.count() : 0;
      } catch {
        return 0;
      }
    };
    while ((await stored()) < 4000) await setTimeout(5);
    victim.kill('SIGKILL');
    assert.equal((await ended(victim)).signal, 'SIGKILL');
    const before = await stored();
    assert.ok(before < count, `${before}: it is killed in the middle`);
    const { lines } = await vlmoJson<{
      state: string;
      stored: number;
      skipped: number;
      images: { skipped: number };
    }>([...['import-vectors', vectors, '--index', path, '--json']]);
    assert.equal(lines[0]?.state, 'complete');
    assert.equal((lines[0]?.stored ?? 0) + (lines[0]?.skipped ?? 0), 2 * count);
    assert.ok((lines[0]?.images.skipped ?? 0) >= before);
    assert.equal(await stored(), count);
  });

  test('into a collection that a model serves: refused, and another collection is taken', async (t) => {
    const folder = await temporaryFolder(t);
    {
      await using store = await openStore(join(folder, 'index'), { create: true });
      await store.openGeneration(generationSpec({ dimensions: 32 }));
    }
    const index = await newIndex(t, folder);
    await assert.rejects(index.importVectors(NUMPY), isCode('STORE_GENERATION_CONFLICT', /--collection/));
    await index.importVectors(NUMPY, { collection: 'elsewhere' });
    assert.deepEqual(await index.counts('elsewhere'), { images: 6, captions: 6 });
  });
});
