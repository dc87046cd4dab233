import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { readParquet } from '#parquet.ts';
import type { SearchRequest } from '#search/request.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName } from '../pipeline/pictures.ts';

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const pictures = join(folder, 'pictures');
const SMALL = { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 } as const;
const CAPTIONS = ['red apple', 'two dogs', 'a boat'];
let index: OpenIndex;

function picture(n: number): string {
  return join(pictures, pictureName(n));
}

before(async () => {
  await mkdir(pictures, { recursive: true });
  await drawPictures(pictures, 0, 3);
  const rows = CAPTIONS.map((caption, n) => JSON.stringify({ file_name: pictureName(n), caption, n }));
  await writeFile(join(pictures, 'metadata.jsonl'), rows.join('\n'));
  await writeFile(join(pictures, 'broken.png'), 'no picture');
  index = await openIndex(join(folder, 'index'), { ...SMALL, create: true, model: MODEL });
  const indexed = await index.index(pictures);
  assert.deepEqual([indexed.state, indexed.stored, indexed.failed], ['complete', 6, 1]);
});

after(() => index.close());

async function hits(request: SearchRequest) {
  return (await index.search(request)).hits;
}

describe('openIndex', { timeout: 300_000 }, () => {
  test('search by text, picture, bytes and id finds what is stored of the same content first', async () => {
    const [byText] = await hits({ text: 'two dogs', in: 'captions', k: 1 });
    const [byImage] = await hits({ image: picture(1), k: 1 });
    const [byBytes] = await hits({ image: await readFile(picture(1)), k: 1 });
    const [byId] = await hits({ id: pictureName(2), k: 1 });
    assert.equal(byText?.caption, 'two dogs');
    assert.deepEqual([byImage?.id, byBytes?.id, byId?.id], [1, 1, 2].map(pictureName));
    for (const hit of [byText, byImage, byId]) assert.ok(Math.abs((hit?.score ?? 0) - 1) < 2e-3);
    assert.deepEqual(byBytes, byImage);
  });

  test('search: k, where and minScore hold, and pages follow each other', async () => {
    const found = await hits({ text: 'red', where: 'meta.n >= 1' });
    assert.deepEqual(found.map(({ id }) => id).sort(), [1, 2].map(pictureName));
    assert.deepEqual(await hits({ text: 'red', minScore: 1.5 }), []);
    const all = await hits({ text: 'red' });
    const first = await index.search({ text: 'red', k: 2 });
    const second = await index.search({ text: 'red', k: 2, cursor: first.cursor ?? '' });
    assert.deepEqual([...first.hits, ...second.hits], all);
    assert.equal(second.cursor, null);
  });

  test('one question on this thread is answered as on the pools', async () => {
    await using here = await openIndex(index.folder, { compute: 'thread', device: 'cpu' });
    for (const request of [
      { text: 'red' },
      { image: picture(0), in: 'captions', rerank: 3 },
      { text: 'red', rerank: 2, minMatch: 0 },
    ] satisfies SearchRequest[]) {
      const [one, other] = [await here.search(request), await index.search(request)];
      assert.deepEqual(
        one.hits.map(({ id }) => id),
        other.hits.map(({ id }) => id),
      );
      for (const [i, { score }] of one.hits.entries())
        assert.ok(Math.abs(score - (other.hits[i]?.score ?? Number.NaN)) < 1e-3);
    }
  });

  test('embed and match: the numbers of the model', async () => {
    const texts = ['red apple', 'a boat'];
    const vectors = await index.embed({ texts });
    const [ofPicture] = await index.embed({ image: picture(0) });
    await using vlmo = await loadVlmo(MODEL);
    const { data } = await vlmo.embedTexts(texts);
    for (const [i, value] of vectors.flatMap((vector) => Array.from(vector)).entries())
      assert.ok(Math.abs(value - (data[i] ?? Number.NaN)) < 1e-5);
    const matches = await index.match({ image: picture(0), texts });
    assert.equal(matches.length, 2);
    for (const [i, { match, cosine }] of matches.entries()) {
      assert.ok(match >= 0 && match <= 1);
      const dot = Array.from(ofPicture ?? []).reduce(
        (sum, value, d) => sum + value * (vectors[i]?.[d] ?? 0),
        0,
      );
      assert.ok(Math.abs(cosine - dot) < 1e-5);
    }
  });

  test('retrieve and pairs write their files and say how it went', async () => {
    const out = join(folder, 'hits.parquet');
    const answer = await index.retrieve({ queries: 'captions', in: 'images', k: 1, out });
    assert.deepEqual(answer, {
      answered: 3,
      skipped: 0,
      failed: 0,
      hits: 3,
      isWhole: true,
      truncated: { count: 0, first: [] },
    });
    assert.equal((await readParquet(out)).length, 3);
    const queries = join(folder, 'queries.txt');
    await writeFile(queries, 'red apple\n\na boat\n');
    const file = join(folder, 'file.parquet');
    const asked = { queries: { file: queries }, in: 'captions', k: 1, out: file } as const;
    assert.equal((await index.retrieve(asked)).answered, 2);
    const found = await readParquet(file, ['query', 'score']);
    assert.ok(found.every(({ score }) => Number(score) > 0.99));
    const pairs = await index.pairs({ out: join(folder, 'pairs.parquet') });
    assert.deepEqual([pairs.scored, pairs.isWhole], [3, true]);
  });

  test('items, counts, failures, runs and generations say what is there', async () => {
    const ids: string[] = [];
    for await (const { id } of index.items({ where: 'meta.n < 2' })) ids.push(id);
    assert.deepEqual(ids.sort(), [0, 1].map(pictureName));
    assert.deepEqual(await index.counts(), { images: 3, captions: 3 });
    const codes: string[] = [];
    for await (const { code } of index.failures()) codes.push(code);
    assert.deepEqual(codes, ['IMAGE_INVALID']);
    const [run] = await index.runs();
    assert.deepEqual([run?.record.state, run?.stored], ['complete', 6]);
    assert.deepEqual(await index.run(run?.record.id ?? ''), run);
    await assert.rejects(index.run('none'), { code: 'RUN_NOT_FOUND' });
    assert.equal((await index.generations()).length, 1);
  });

  test('optimize compacts; an index of too few vectors is refused by its code', async () => {
    const tables = await index.optimize();
    assert.deepEqual(
      tables.map(({ table, rows, ann }) => [table, rows, ann]),
      [
        ['images', 3, null],
        ['captions', 3, null],
      ],
    );
    await assert.rejects(index.optimize({ ann: 'build' }), { code: 'ANN_UNSUITABLE' });
    await assert.rejects(index.measure(), { code: 'ANN_INDEX_MISSING' });
  });

  test('throws by its code what cannot be answered, and goes on', async () => {
    const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => index.search({ text: 'x', collection: 'none' }), 'COLLECTION_NOT_FOUND'],
      [() => index.search({ text: 'x', where: 'width >' }), 'FILTER_INVALID'],
      [() => index.search({ id: 'nobody' }), 'SEARCH_ITEM_NOT_FOUND'],
      [() => index.search({ image: join(folder, 'none.png') }), 'ITEM_NOT_FOUND'],
      [() => index.search({ text: 'x', cursor: 'forged' }), 'CURSOR_INVALID'],
      [() => index.search({ text: 'x', k: 0 }), 'REQUEST_INVALID'],
      [() => index.search({}), 'REQUEST_INVALID'],
      [() => index.embed({ image: join(MODEL, 'config.json') }), 'IMAGE_INVALID'],
      [() => index.match({ image: join(folder, 'none.png'), texts: ['a'] }), 'ITEM_NOT_FOUND'],
      [() => index.index(join(folder, 'nowhere')), 'SOURCE_NOT_FOUND'],
      [() => openIndex(join(folder, 'nothing')), 'STORE_NOT_FOUND'],
    ];
    for (const [call, code] of cases) {
      await assert.rejects(call(), (error) => error instanceof VlmoError && error.code === code, code);
    }
    assert.equal((await hits({ text: 'red' })).length, 3);
  });

  test('a signal that is aborted already ends every call with its reason', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    for (const call of [
      index.search({ text: 'red' }, { signal }),
      index.embed({ texts: ['red'] }, { signal }),
      index.match({ image: picture(0), texts: ['red'] }, { signal }),
      index.optimize({ signal }),
    ])
      await assert.rejects(call, /enough/);
    const out = join(folder, 'stopped.parquet');
    await assert.rejects(index.retrieve({ queries: 'images', in: 'images', out }, { signal }), /enough/);
    await assert.rejects(index.index(pictures, { signal }), /enough/);
  });

  test('nothing is made for a model that cannot be used; two opened indexes share a folder', async () => {
    const none = join(folder, 'not-made');
    await assert.rejects(openIndex(none, { create: true, model: folder }), { code: 'MODEL_NOT_FOUND' });
    await assert.rejects(openIndex(none), { code: 'STORE_NOT_FOUND' });
    await using other = await openIndex(index.folder, SMALL);
    const again = await other.index(pictures);
    assert.deepEqual([again.stored, again.skipped], [0, 6]);
    assert.deepEqual(await other.search({ text: 'red' }), await index.search({ text: 'red' }));
  });

  test('warm loads what the first request would wait for; close may be called twice', async () => {
    const other = await openIndex(index.folder, SMALL);
    await other.warm();
    assert.equal((await other.search({ text: 'red', k: 1 })).hits.length, 1);
    await Promise.all([other.close(), other.close()]);
  });
});
