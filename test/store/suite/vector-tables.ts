import assert from 'node:assert/strict';
import { test } from 'node:test';
import { floatToHalf, halfToFloat } from '#float16.ts';
import { parseFilter } from '#search/filter/filter.ts';
import type { Filter, ImageRecord, RowKey } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import {
  captionKeys,
  captionRow,
  generationSpec,
  imageKeys,
  imageRow,
  unitVectors,
} from '../lance/store-fixture.ts';
import type { OpenStore } from './open.ts';

const HOSTILE_IDS = [
  ...['plain', "it's", "''", 'do"uble', 'back\\slash', 'trailing\\', "\\'", 'new\nline', 'cr\r\n', 'tab\t'],
  ...[
    'nul\0inside',
    '\0',
    '',
    ' leading',
    'trailing ',
    'ü',
    'e\u0301',
    '😀',
    '%',
    '_',
    '-- comment',
    '/* x */',
  ],
  ...[
    '`tick`',
    '$1',
    '?',
    '{}',
    "'; DROP TABLE images",
    '\ufeffmark',
    '\u2028',
    '\u{10FFFF}',
    'a'.repeat(70_000),
  ],
  ...['lone\ud800', 'lone\ud801', '\udc00\ud800', '\uFDD0', '\uFDD0d800', '\uFFFD', 'CON', '../up', 'a/b'],
];

/** What every table of vectors keeps, finds and refuses. */
export function vectorTableSuite(open: OpenStore): void {
  test('VectorTable.find gives back every column of what upsert wrote', async (t) => {
    const store = await open(t);
    const { images, captions } = await store.openGeneration(generationSpec());
    const image = imageRow('a', { bytes: 2 ** 40, meta: { n: 1 } });
    const caption = captionRow('a#0', { imageId: 'a' });
    const loose = captionRow('b#0', { imageId: null, caption: '\ufeffmarked' });
    await images.upsert({ rows: [image], vectors: unitVectors(1, 4) });
    await captions.upsert({ rows: [caption, loose], vectors: unitVectors(2, 4) });
    assert.deepEqual(await images.find(imageKeys(['a', 'missing'])), new Map([[image.key, image]]));
    assert.deepEqual((await captions.find(captionKeys(['a#0', 'b#0']))).get(caption.key), caption);
    assert.deepEqual((await captions.find(captionKeys(['a#0', 'b#0']))).get(loose.key), loose);
    assert.deepEqual(await images.find([]), new Map());
  });

  test('VectorTable.scanKeys names who wrote a row last; deleteUnchanged leaves what another has written since', async (t) => {
    const { images } = await (await open(t)).openGeneration(generationSpec());
    const rows = ['a', 'b', 'c'].map((id) =>
      imageRow(id, { run: `wrote ${id}`, source: id === 'c' ? 'x' : 'y' }),
    );
    await images.upsert({ rows, vectors: unitVectors(3, 4) });
    const keysOf = async (where?: Filter): Promise<RowKey[]> => {
      const found: RowKey[] = [];
      for await (const some of images.scanKeys(where)) found.push(...some);
      return found.sort((a, b) => (a.run < b.run ? -1 : 1));
    };
    const [a, b, c] = rows.map(({ key, run }) => ({ key, run }));
    assert.deepEqual(await keysOf(), [a, b, c]);
    assert.deepEqual(
      await images.countBySource(),
      new Map([
        ['y', 2],
        ['x', 1],
      ]),
    );
    const texts = [];
    for await (const some of images.scanTexts(['id', 'sha256'], anyOf('source', ['x']))) texts.push(...some);
    assert.deepEqual(texts, [{ id: 'c', sha256: 'ab'.repeat(32) }]);
    const before = await keysOf(anyOf('source', ['y']));
    assert.deepEqual(before, [a, b]);
    const again = { ...rows[1], run: 'wrote again' } as ImageRecord;
    await images.upsert({ rows: [again], vectors: unitVectors(1, 4) });
    await images.deleteUnchanged(before);
    assert.deepEqual(await keysOf(), [{ ...b, run: 'wrote again' }, c]);
    await images.deleteUnchanged([]);
    assert.equal(await images.count(), 2);
  });

  test('VectorTable keeps any text as id, with and without an index on it', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    const rows = HOSTILE_IDS.map((id) => imageRow(id, { uri: id, run: id }));
    for (const round of ['inserted', 'replaced', 'indexed']) {
      if (round === 'indexed') {
        const many = Array.from({ length: 6000 }, (_, index) => imageRow(`filler-${index}`));
        await images.upsert({ rows: many, vectors: unitVectors(many.length, 4) });
        await images.optimize();
      }
      await images.upsert({ rows, vectors: unitVectors(rows.length, 4) });
      const found = await images.find(imageKeys(HOSTILE_IDS));
      assert.deepEqual([...found.values()].map(({ id }) => id).sort(), [...HOSTILE_IDS].sort(), round);
      for (const row of rows) assert.deepEqual((await images.find([row.key])).get(row.key), row, round);
    }
    const addresses = [...(await images.addresses(anyOf('id', HOSTILE_IDS)))];
    const placed = [...(await images.rowsAt(addresses)).values()];
    assert.deepEqual(
      new Map(placed.map((row) => [row.key, row])),
      new Map(rows.map((row) => [row.key, row])),
    );
    await images.delete(imageKeys(HOSTILE_IDS));
    assert.equal((await images.rowsAt(addresses)).size, 0);
    assert.equal(await images.count(), 6000);
  });

  test('VectorTable gives meta back exactly', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    const metas: Record<string, unknown>[] = [
      {},
      { null: null, empty: {}, list: [], nested: { a: { b: [1, { c: '😀' }] } } },
      {
        'a.b': 1,
        'q"': 2,
        "it's": 3,
        '': 4,
        '\\': 5,
        'a/b~': 6,
        '\0': 7,
        'lone\ud800': 'lone\udc00',
        10: 'ten',
      },
      {
        big: Number.MAX_SAFE_INTEGER,
        huge: 1e300,
        tiny: 5e-324,
        third: 1 / 3,
        large: 2 ** 64,
        negative: -1e21,
      },
      JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}') as Record<string, unknown>,
      { deep: JSON.parse(`${'[{"a":'.repeat(300)}1${'}]'.repeat(300)}`) as unknown },
      { text: 'x'.repeat(100_000), 'line\n': 'quotes \' " ` %' },
    ];
    const rows = metas.map((meta, index) => imageRow(`${index}`, { meta }));
    await images.upsert({ rows, vectors: unitVectors(rows.length, 4) });
    await images.upsert({ rows, vectors: unitVectors(rows.length, 4) });
    const found = await images.find(rows.map((row) => row.key));
    for (const row of rows) assert.equal(JSON.stringify(found.get(row.key)?.meta), JSON.stringify(row.meta));
  });

  test('VectorTable.upsert refuses meta that is not JSON', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    const rows = [imageRow('a', { meta: { big: 1n } })];
    await assert.rejects(images.upsert({ rows, vectors: unitVectors(1, 4) }), { code: 'STORE_ROW_INVALID' });
  });

  test('VectorTable.upsert replaces by key, one row each', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    const vectors = unitVectors(3, 4);
    await images.upsert({ rows: ['a', 'b', 'c'].map((id) => imageRow(id)), vectors });
    await images.upsert({ rows: [imageRow('b', { width: 7 }), imageRow('d')], vectors: vectors.subarray(4) });
    assert.equal(await images.count(), 4);
    assert.equal(await images.count(parseFilter('width = 7', 'image')), 1);
    assert.deepEqual(
      await images.vector(imageRow('b').key),
      halfToFloat(floatToHalf(vectors.subarray(4, 8))),
    );
    assert.equal(await images.vector('missing'), undefined);
  });

  test('VectorTable.upsert refuses impossible batches', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    const rows = [imageRow('a'), imageRow('b')];
    await assert.rejects(
      images.upsert({ rows: [imageRow('a'), imageRow('a')], vectors: unitVectors(2, 4) }),
      /bug/,
    );
    await assert.rejects(images.upsert({ rows, vectors: unitVectors(1, 4) }), /expected 2 x 4 values/);
    await assert.rejects(images.upsert({ rows, vectors: new Float32Array(8) }), /expected unit length/);
    await assert.rejects(
      images.upsert({ rows, vectors: new Float32Array(8).fill(Number.NaN) }),
      /expected unit length/,
    );
    await images.upsert({ rows: [], vectors: new Float32Array(0) });
    assert.equal(await images.count(), 0);
  });

  test('VectorTable.scan streams every row once, filtered', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    const rows = Array.from({ length: 3000 }, (_, index) => imageRow(`${index}`, { width: index }));
    for (const start of [0, 1000, 2000]) {
      await images.upsert({ rows: rows.slice(start, start + 1000), vectors: unitVectors(1000, 4) });
    }
    const seen = new Set<string>();
    for await (const row of images.scan()) seen.add(row.id);
    assert.equal(seen.size, 3000);
    let wide = 0;
    for await (const row of images.scan(parseFilter('width >= 2500', 'image')))
      wide += row.width >= 2500 ? 1 : Number.NaN;
    assert.equal(wide, 500);
    for await (const row of images.scan()) {
      assert.ok(row);
      break; // a reader may stop early
    }
  });

  test('VectorTable.scanVectors and scanKeyedVectors give each row of a filter with its own vector', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    const rows = Array.from({ length: 9 }, (_, index) => imageRow(`${index}`, { width: index }));
    await images.upsert({ rows, vectors: unitVectors(9, 4) });
    const where = parseFilter('width >= 4', 'image');
    const found = new Map<string, Uint16Array>();
    for await (const { rows: some, halves } of images.scanVectors(where))
      for (const [i, { key }] of some.entries()) found.set(key, halves.slice(i * 4, (i + 1) * 4));
    assert.deepEqual([...found.keys()].sort(), imageKeys(['4', '5', '6', '7', '8']).sort());
    for (const [key, halves] of found) assert.deepEqual(halfToFloat(halves), await images.vector(key));
    const keyed = new Map<string, Uint16Array>();
    for await (const { keys, halves } of images.scanKeyedVectors(where))
      for (const [i, key] of keys.entries()) keyed.set(key, halves.slice(i * 4, (i + 1) * 4));
    assert.deepEqual(keyed, found);
    let all = 0;
    for await (const { keys } of images.scanKeyedVectors()) all += keys.length;
    assert.equal(all, 9);
  });

  test('CaptionTable.firstOfImages gives the caption of smallest id', async (t) => {
    const store = await open(t);
    const { captions } = await store.openGeneration(generationSpec());
    const rows = [
      captionRow("it's#2", { imageId: "it's", caption: 'second' }),
      captionRow("it's#1", { imageId: "it's", caption: 'first' }),
      captionRow('b#0', { imageId: 'b', caption: 'of b' }),
      captionRow('loose', { imageId: null }),
    ];
    await captions.upsert({ rows, vectors: unitVectors(rows.length, 4) });
    const first = await captions.firstOfImages(imageKeys(["it's", 'b', 'none']));
    assert.deepEqual(
      first,
      new Map([
        [imageRow("it's").key, 'first'],
        [imageRow('b').key, 'of b'],
      ]),
    );
    assert.deepEqual(await captions.firstOfImages([]), new Map());
    const withVectors = await captions.firstRowsOfImages(imageKeys(["it's", 'b', 'none']));
    assert.deepEqual([...withVectors.keys()].sort(), [...first.keys()].sort());
    for (const [image, { row, halves }] of withVectors) {
      assert.equal(row.caption, first.get(image));
      assert.deepEqual(halfToFloat(halves), await captions.vector(row.key));
    }
    assert.deepEqual(await captions.firstRowsOfImages([]), new Map());

    const theirs: string[] = [];
    for await (const key of captions.keysOfImages(imageKeys(["it's", 'none']))) theirs.push(key);
    assert.deepEqual(theirs.sort(), captionKeys(["it's#1", "it's#2"]).sort());
    for await (const key of captions.keysOfImages([])) assert.fail(key);
  });

  test('VectorTable.optimize keeps every row and makes later writes and finds work on', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    for (let round = 0; round < 10; round++) {
      const rows = Array.from({ length: 700 }, (_, index) =>
        imageRow(`${round * 600 + index}`, { width: round }),
      );
      await images.upsert({ rows, vectors: unitVectors(rows.length, 4) });
    }
    await images.optimize();
    await images.optimize();
    assert.equal(await images.count(), 9 * 600 + 700);
    await images.upsert({
      rows: [imageRow('5', { width: 99 }), imageRow('new')],
      vectors: unitVectors(2, 4),
    });
    assert.equal((await images.find(imageKeys(['5']))).get(imageRow('5').key)?.width, 99);
    assert.equal(await images.count(), 9 * 600 + 701);
  });

  test('VectorTable tidies itself during many small writes', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    for (let round = 0; round < 70; round++) {
      await images.upsert({ rows: [imageRow(`${round}`)], vectors: unitVectors(1, 4) });
    }
    assert.equal(await images.count(), 70);
  });
}
