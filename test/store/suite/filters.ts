import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter } from '#search/filter/filter.ts';
import type { ImageRecord } from '#store/contract.ts';
import { captionRow, imageRow } from '../lance/store-fixture.ts';
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
  // meta by what it is compared with
  ['meta.n = 5', "a b e'"],
  ["meta.n = '5'", "a b e'"],
  ['META.n = 5', "a b e'"],
  ['meta.N = 5', ''],
  ['meta.n > 4', "a b c e'"],
  ['meta.n < 5.4', "a b e' g_"],
  ['meta.n = -1e21', 'g_'],
  ['meta.n != 5', 'c g_'],
  ["meta.n != 'x'", "a b c e' g_"],
  ['NOT meta.n = 5', 'c g_'],
  ['NOT (NOT meta.n = 5)', "a b e'"],
  ['meta.n IN (5, 5.5)', "a b c e'"],
  ['meta.n NOT IN (5, 5.5)', 'g_'],
  ['meta.n BETWEEN 5 AND 5.2', "a b e'"],
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
  ["meta.tags = 'x'", 'd'],
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

/** Fields as tables and JSON have them, each row with one. */
const FIELDS: Readonly<Record<string, unknown>> = {
  year: '2020',
  float: '2020.0',
  power: '2.02e3',
  plus: '+2020',
  code: '007',
  hex: '0x7E4',
  comma: '1,5',
  infinity: 'Infinity',
  half: '.5',
  large: '9007199254740993',
  larger: '9007199254740992',
  huge: '123456789012345678901234567890',
  negative: '-9007199254740993',
  json: 2020,
  double: 9007199254740992,
  list: ['2020.0', 7, 'red', '\u{1F34E}', '9007199254740993', true, null, [3], { a: 1 }],
  tags: ['red', 'dark green', ''],
  none: [],
  blank: [''],
  odd: ['a=b', '\uFDD1', '"[.*]"', 'new\nline', '\uFFFD'],
  scores: [-1.5, 10, 200],
};

/** A filter on `meta.v` and the rows above that match. */
const FIELD_MATCHES: readonly (readonly [string, string])[] = [
  ['= 2020', 'year float power plus json list'],
  ["= '2020'", 'year json'],
  ["= '2020.0'", 'float list'],
  ["IN ('2020', '007')", 'year code json'],
  ['IN (2020, 0.5)', 'year float power plus half json list'],
  ["LIKE '20%'", 'year float json list scores'],
  ['< 1', 'half negative scores'],
  ['> 9007199254740992', 'large huge list'],
  ['>= 9007199254740992', 'large larger huge double list'],
  ['= 9007199254740993', 'large list'],
  ['= 9007199254740992', 'larger double'],
  ['= 123456789012345678901234567890', 'huge'],
  ['= 123456789012345678901234567891', ''],
  ['<= -9007199254740993', 'negative'],
  ['< -9007199254740993', ''],
  ['BETWEEN 9007199254740993 AND 9007199254740994', 'large list'],
  ['BETWEEN 8 AND 11', 'scores'],
  ['BETWEEN 11 AND 199', ''],
  ['NOT BETWEEN 11 AND 2021', 'half large larger huge negative double'],
  ['IN (9007199254740993, 7)', 'large list'],
  ["= 'red'", 'list tags'],
  ["= 'dark green'", 'tags'],
  ["= ''", 'tags blank'],
  ["LIKE 'dark%'", 'tags'],
  ["LIKE '_'", 'list odd'],
  ["LIKE '%\\[.*%'", 'odd'],
  ["LIKE 'new_line'", 'odd'],
  ["LIKE 'a=b'", 'odd'],
  ["= 'a=b'", 'odd'],
  ["= '\uFFFD'", 'odd'],
  ["= '\u{1F34E}'", 'list'],
  ['= true', 'list'],
  ['!= true', ''],
  ['!= false', 'list'],
  ["IN ('dark green', 'x')", 'tags'],
  ['= 3', ''],
  ['> 100', 'year float power plus large larger huge json double list scores'],
  ['<= -1.5', 'negative scores'],
  ['IS NULL', ''],
  ["= 'Infinity'", 'infinity'],
  ['= 7', 'list'],
  ['!= 2020', 'half large larger huge negative double scores'],
  [
    "!= 'red'",
    'year float power plus code hex comma infinity half large larger huge negative json double blank odd scores',
  ],
  ["NOT LIKE '2%'", 'plus code hex comma infinity half large larger huge negative double tags blank odd'],
  ["> 'r'", 'list tags odd'],
  ["< ' '", 'tags blank'],
  ["BETWEEN 'e' AND 's'", 'list tags odd'],
  ["NOT BETWEEN ' ' AND 'zz'", 'blank'],
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
      ...imageRow(row.id),
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

    const fields = Object.entries(FIELDS).map(([id, v]) => ({
      ...(rows[0] as ImageRecord),
      id,
      key: imageRow(id).key,
      meta: { v },
    }));
    const other = await store.openGeneration({ collection: 'd', dimensions, ...model });
    await other.images.upsert({ rows: fields, vectors: vectors(fields.length) });
    for (const [text, ids] of FIELD_MATCHES) {
      await t.test(`meta.v ${text}`, async () => {
        const found: string[] = [];
        for await (const { id } of other.images.scan(parseFilter(`meta.v ${text}`, 'image'))) found.push(id);
        assert.deepEqual(found.sort(), ids.split(' ').filter(Boolean).sort());
      });
    }

    await t.test('captions have columns of their own', async () => {
      const changes = { ...shared, caption: 'a cat', meta: { n: 1 } };
      const caption = captionRow('a#0', { ...changes, imageId: 'a' });
      const loose = captionRow('b#0', { ...changes, caption: 'a dog' });
      await captions.upsert({ rows: [caption, loose], vectors: vectors(2) });
      assert.equal(await captions.count(parseFilter("caption LIKE '%cat' AND meta.n = 1", 'caption')), 1);
      assert.equal(await captions.count(parseFilter('image_id IS NULL', 'caption')), 1);
      assert.equal(await captions.count(parseFilter("image_id != 'a'", 'caption')), 0);
    });

    await t.test('the largest filters that are allowed run', async () => {
      const long = Array.from({ length: 500 }, (_, index) => `meta.n = ${index}`);
      assert.equal(await images.count(parseFilter(long.join(' OR '), 'image')), 3);
      assert.equal(await images.count(parseFilter(`NOT (${long.join(' OR ')})`, 'image')), 2);
      const list = Array.from({ length: 10_000 }, (_, index) => index);
      assert.equal(await images.count(parseFilter(`meta.n IN (${list.join(', ')})`, 'image')), 3);
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
