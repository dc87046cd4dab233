import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter } from '#search/filter/filter.ts';
import type { CaptionRecord, ImageRecord } from '#store/contract.ts';
import type { OpenStore } from './open.ts';

const day = (date: string) => new Date(`2024-01-${date}T00:00:00Z`);
const shared = { uri: 'u', indexedAt: day('01'), run: 'r1', meta: {} };

const IMAGES: readonly (Partial<ImageRecord> & { readonly id: string })[] = [
  { id: 'a', width: 640, bytes: 2 ** 40, meta: { n: 5, s: 'x', b: true, 'odd key': 1, 'a.b': 2 } },
  {
    id: 'b',
    width: 320,
    indexedAt: day('02'),
    meta: { n: '5', s: "it's", b: false, size: { unit: 'cm', n: 0.1 } },
  },
  { id: 'c', width: 1, format: 'png', meta: { n: 5.5, s: '100%', b: 'true', size: { unit: 'mm' } } },
  { id: 'd', width: 0, uri: "it's", meta: { n: null, s: 'back\\slash', size: 'cm', tags: ['x', 'y'] } },
  {
    id: "e'",
    width: -3,
    indexedAt: new Date('2024-01-02T10:00:00.5Z'),
    meta: { n: [5], s: 'ü 😀\n"', b: null },
  },
  { id: 'f%', width: 2, meta: { n: { n: 5 }, s: '', 'q"k': 1, "q'k": 1, 'a/b~c': 1, AND: 1, ü: 1 } },
  { id: 'g_', width: 2, run: 'r2', meta: { n: -1e21, s: '5', big: 9007199254740991, tiny: 5e-324 } },
  { id: 'h', width: 2, meta: {} },
];

/** A filter and the ids of the pictures above that match it. */
const MATCHES: readonly (readonly [string, string])[] = [
  // columns
  ['width = 640', 'a'],
  ['WIDTH=640', 'a'],
  ['width >= 320', 'a b'],
  ['width > 1.5 and width < 2.5', 'f% g_ h'],
  ['width < 0', "e'"],
  ['width <= -3.0', "e'"],
  ['width <> 2', "a b c d e'"],
  ['width != 2', "a b c d e'"],
  ['width = 2.5', ''],
  ['width < 1e300', "a b c d e' f% g_ h"],
  ['width BETWEEN 1 AND 2', 'c f% g_ h'],
  ['width NOT BETWEEN 0 AND 2', "a b e'"],
  ['width BETWEEN 1 AND 2 AND format = "png"', 'c'],
  ['width IN (640, 1, 7.5)', 'a c'],
  ['width NOT IN (2)', "a b c d e'"],
  ['bytes = 1099511627776', 'a'],
  ['bytes > 1e12', 'a'],
  ["id = 'e'''", "e'"],
  ['id = "e\'"', "e'"],
  ["id IN ('a', 'b', 'nothing')", 'a b'],
  ["id NOT IN ('a', 'b')", "c d e' f% g_ h"],
  ["uri LIKE '%''%'", 'd'],
  ["id LIKE '_'", 'a b c d h'],
  ["id LIKE '_\\%'", 'f%'],
  ["id LIKE '%\\_'", 'g_'],
  ["id NOT LIKE '_'", "e' f% g_"],
  ["id > 'b' AND id < 'd'", 'c'],
  ["id BETWEEN 'b' AND 'c'", 'b c'],
  ["format = 'png'", 'c'],
  ["run <> 'r1'", 'g_'],
  ['run IS NULL', ''],
  ['run IS NOT NULL', "a b c d e' f% g_ h"],
  ['NOT run IS NULL', "a b c d e' f% g_ h"],
  ["indexed_at = '2024-01-02'", 'b'],
  ["indexed_at >= '2024-01-02'", "b e'"],
  ["indexed_at > '2024-01-02T11:00+01:00'", "e'"],
  ["indexed_at > '2024-01-02 10:00:00.500Z'", ''],
  ["indexed_at IN ('2024-01-02', '2024-01-02T10:00:00.5')", "b e'"],
  ["indexed_at BETWEEN '2024-01-01T12:00' AND '2024-01-02T00:00'", 'b'],
  ["indexed_at NOT BETWEEN '2024-01-01T00:00' AND '2024-01-02T00:00'", "e'"],
  // meta by the type of the value
  ['meta.n = 5', 'a'],
  ["meta.n = '5'", 'b'],
  ['META.n = 5', 'a'],
  ['meta.N = 5', ''],
  ['meta.n > 4', 'a c'],
  ['meta.n < 5.4', 'a g_'],
  ['meta.n = -1e21', 'g_'],
  ['meta.n != 5', 'c g_'],
  ["meta.n != 'x'", 'b'],
  ['NOT meta.n = 5', 'c g_'],
  ['NOT (NOT meta.n = 5)', 'a'],
  ['meta.n IN (5, 5.5)', 'a c'],
  ['meta.n NOT IN (5, 5.5)', 'g_'],
  ['meta.n BETWEEN 5 AND 5.2', 'a'],
  ['meta.n NOT BETWEEN 5 AND 5.2', 'c g_'],
  ['meta.n IS NULL', 'd h'],
  ['meta.n IS NOT NULL', "a b c e' f% g_"],
  ['NOT meta.n IS NULL', "a b c e' f% g_"],
  ['NOT (meta.n IS NOT NULL)', 'd h'],
  ['meta.n IS NOT NULL AND width = 2', 'f% g_'],
  ['meta.missing IS NULL AND width = 640', 'a'],
  ['meta.missing = 1', ''],
  ['NOT meta.missing = 1', ''],
  ['meta.b = true', 'a'],
  ['meta.b = FALSE', 'b'],
  ['meta.b != true', 'b'],
  ['meta.b IN (true, false)', 'a b'],
  ["meta.b = 'true'", 'c'],
  ['meta.big = 9007199254740991', 'g_'],
  ['meta.big > 9007199254740990', 'g_'],
  ['meta.tiny = 5e-324', 'g_'],
  ["meta.s = ''", 'f%'],
  ["meta.s = 'it''s'", 'b'],
  ['meta.s = "it\'s"', 'b'],
  ["meta.s = 'back\\slash'", 'd'],
  ["meta.s LIKE 'back\\\\%'", 'd'],
  ["meta.s LIKE '100\\%'", 'c'],
  ["meta.s LIKE '%s%'", 'b d'],
  ["meta.s NOT LIKE '%s%'", "a c e' f% g_"],
  ["meta.s = 'ü 😀\n\"'", "e'"],
  ["meta.s LIKE 'ü _%'", "e'"],
  ["meta.s > 'i'", "a b e'"],
  ["meta.s BETWEEN '1' AND '6'", 'c g_'],
  ["meta.s IN ('x', '100%')", 'a c'],
  // paths
  ["meta.size.unit = 'cm'", 'b'],
  ["meta.size = 'cm'", 'd'],
  ['meta.size IS NOT NULL', 'b c d'],
  ['meta.size.unit IS NULL AND meta.size IS NOT NULL', 'd'],
  ['meta.size.n = 0.1', 'b'],
  ['meta.n.n = 5', 'f%'],
  ['meta."odd key" = 1', 'a'],
  ['meta."size".unit = "mm"', 'c'],
  ['meta."a.b" = 2', 'a'],
  ['meta.a.b = 2', ''],
  ['meta."q""k" = 1', 'f%'],
  ['meta."q\'k" = 1', 'f%'],
  ['meta."a/b~c" = 1', 'f%'],
  ['meta.AND = 1 AND meta.ü = 1', 'f%'],
  ['meta.tags IS NOT NULL', 'd'],
  ["meta.tags = 'x'", ''],
  ['meta."" IS NULL AND width = 640', 'a'],
  // logic
  ['width = 640 OR width = 320 AND id = "a"', 'a'],
  ['(width = 640 OR width = 320) AND id = "b"', 'b'],
  ['NOT (width = 2 OR width = 640)', "b c d e'"],
  ['NOT (width >= 2 AND id != "a")', "a c d e'"],
  ['NOT (width > 2 AND (id = "a" OR id = "b")) AND NOT width = 2', "c d e'"],
  ['NOT NOT width = 640', 'a'],
  ['((((width = 640))))', 'a'],
  ['not width = 2 aNd not(id="a")', "b c d e'"],
  ['\n width\t=\r640 ', 'a'],
  // texts that would be SQL somewhere else
  ["meta.s = '''; DROP TABLE images; --'", ''],
  ["id = '''' OR width = 640", 'a'],
  ["id = 'a'' OR ''1''=''1'", ''],
  ["id = 'x\\' OR width = 640", 'a'],
  ['meta."\') = 5 OR true OR (\'" = 5', ''],
  ["id = '/*' OR id = '*/'", ''],
  ["id = 'a--' OR width = 320", 'b'],
];

/** What a filter lets through, on whatever store. */
export function filterSuite(open: OpenStore): void {
  test('parseFilter finds in the store what it says', async (t) => {
    const store = await open(t);
    const dimensions = 2;
    const model = { fingerprint: 'ab'.repeat(16), modelName: 'm', modelPath: '/m', preprocess: 'p' };
    const { images, captions } = await store.openGeneration({ collection: 'c', dimensions, ...model });
    const query = Float32Array.of(0, 1);
    const vectors = (count: number) => Float32Array.from({ length: count * 2 }, (_, index) => index % 2);
    const rows = IMAGES.map((row) => ({
      ...shared,
      width: 1,
      height: 1,
      bytes: 1,
      sha256: '',
      format: 'jpeg',
      ...row,
    }));
    await images.upsert({ rows, vectors: vectors(rows.length) });

    for (const [text, ids] of MATCHES) {
      await t.test(text, async () => {
        const where = parseFilter(text, 'image');
        const expected = ids.split(' ').filter((id) => id !== '');
        const nearest = await images.nearest(query, { k: 100, where });
        assert.deepEqual(nearest.map(({ row }) => row.id).sort(), expected);
        const scanned: string[] = [];
        for await (const row of images.scan(where)) scanned.push(row.id);
        assert.deepEqual(scanned.sort(), expected);
        assert.equal(await images.count(where), expected.length);
      });
    }

    await t.test('captions have columns of their own', async () => {
      const caption: CaptionRecord = { ...shared, id: 'a#0', imageId: 'a', caption: 'a cat', meta: { n: 1 } };
      const loose = { ...caption, id: 'b#0', imageId: null, caption: 'a dog' };
      await captions.upsert({ rows: [caption, loose], vectors: vectors(2) });
      assert.equal(await captions.count(parseFilter("caption LIKE '%cat' AND meta.n = 1", 'caption')), 1);
      assert.equal(await captions.count(parseFilter('image_id IS NULL', 'caption')), 1);
      assert.equal(await captions.count(parseFilter("image_id != 'a'", 'caption')), 0);
    });

    await t.test('the largest filters that are allowed run', async () => {
      const long = Array.from({ length: 500 }, (_, index) => `meta.n = ${index}`);
      assert.equal(await images.count(parseFilter(long.join(' OR '), 'image')), 1);
      assert.equal(await images.count(parseFilter(`NOT (${long.join(' OR ')})`, 'image')), 2);
      const list = Array.from({ length: 10_000 }, (_, index) => index);
      assert.equal(await images.count(parseFilter(`meta.n IN (${list.join(', ')})`, 'image')), 1);
      const parentheses = `${'('.repeat(32)}width = 640${')'.repeat(32)}`;
      assert.equal(await images.count(parseFilter(parentheses, 'image')), 1);
      for (const leaf of [
        'meta.n IS NOT NULL',
        "meta.s NOT LIKE 'y%'",
        'width BETWEEN 0 AND 9',
        'bytes NOT IN (7)',
      ]) {
        for (const negation of ['', 'NOT ']) {
          let deep = 'width = 640 OR width = 640';
          for (let level = 1; level < 30; level++) deep = `${leaf} OR width != 0 AND (${deep})`;
          const where = parseFilter(`${negation}(width = 640 AND (${deep}))`, 'image');
          assert.equal(typeof (await images.count(where)), 'number');
        }
      }
    });
  });
}
