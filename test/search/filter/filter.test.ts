import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { compileFilter } from '#search/filter/filter.ts';
import type { CaptionRecord, ImageRecord } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';

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

test('compileFilter finds in the store what it says', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-filter-'));
  const store = await openStore(join(folder, 'index'), { create: true });
  t.after(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });
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
      const where = compileFilter(text, 'image');
      const expected = ids.split(' ').filter((id) => id !== '');
      const nearest = await images.nearest(query, { k: 100, where });
      assert.deepEqual(nearest.map(({ row }) => row.id).sort(), expected, where);
      const scanned: string[] = [];
      for await (const row of images.scan(where)) scanned.push(row.id);
      assert.deepEqual(scanned.sort(), expected, where);
      assert.equal(await images.count(where), expected.length, where);
    });
  }

  await t.test('captions have columns of their own', async () => {
    const caption: CaptionRecord = { ...shared, id: 'a#0', imageId: 'a', caption: 'a cat', meta: { n: 1 } };
    const loose = { ...caption, id: 'b#0', imageId: null, caption: 'a dog' };
    await captions.upsert({ rows: [caption, loose], vectors: vectors(2) });
    assert.equal(await captions.count(compileFilter("caption LIKE '%cat' AND meta.n = 1", 'caption')), 1);
    assert.equal(await captions.count(compileFilter('image_id IS NULL', 'caption')), 1);
    assert.equal(await captions.count(compileFilter("image_id != 'a'", 'caption')), 0);
  });

  await t.test('the largest filters that are allowed run', async () => {
    const long = Array.from({ length: 500 }, (_, index) => `meta.n = ${index}`);
    assert.equal(await images.count(compileFilter(long.join(' OR '), 'image')), 1);
    assert.equal(await images.count(compileFilter(`NOT (${long.join(' OR ')})`, 'image')), 2);
    const list = Array.from({ length: 5000 }, (_, index) => index);
    assert.equal(await images.count(compileFilter(`meta.n IN (${list.join(', ')})`, 'image')), 1);
    const parentheses = `${'('.repeat(100)}width = 640${')'.repeat(100)}`;
    assert.equal(await images.count(compileFilter(parentheses, 'image')), 1);
    for (const leaf of [
      'meta.n IS NOT NULL',
      "meta.s NOT LIKE 'y%'",
      'width BETWEEN 0 AND 9',
      'bytes NOT IN (7)',
    ]) {
      for (const negation of ['', 'NOT ']) {
        let deep = 'width = 640 OR width = 640';
        for (let level = 1; level < 12; level++) deep = `${leaf} OR width != 0 AND (${deep})`;
        const where = compileFilter(`${negation}(width = 640 AND (${deep}))`, 'image');
        assert.equal(typeof (await images.count(where)), 'number');
      }
    }
  });
});

const COLUMNS = 'id, uri, indexed_at, run, width, height, bytes, sha256, format';

/** A filter that is wrong, and what its message says after the filter. */
const ERRORS: readonly (readonly [string, string])[] = [
  ['', 'expected a column, received the end at column 1'],
  ['   ', 'expected a column, received the end at column 4'],
  ['price > 5', `expected a column (${COLUMNS}) or meta.price, received "price" at column 1`],
  ['meta = 5', `expected a column (${COLUMNS}) or meta.NAME, received "meta" at column 1`],
  ['caption = "x"', `expected a column (${COLUMNS}) or meta.caption, received "caption" at column 1`],
  ['vector IS NULL', `expected a column (${COLUMNS}) or meta.vector, received "vector" at column 1`],
  [
    'meta_fields = "x"',
    `expected a column (${COLUMNS}) or meta.meta_fields, received "meta_fields" at column 1`,
  ],
  ['__proto__ = 1', `expected a column (${COLUMNS}) or meta.__proto__, received "__proto__" at column 1`],
  ['AND width = 1', `expected a column (${COLUMNS}) or meta.NAME, received "AND" at column 1`],
  ['true', `expected a column (${COLUMNS}) or meta.NAME, received "true" at column 1`],
  ['5 < width', 'expected a column, received "5" at column 1'],
  ["'a' = 'a'", 'expected a column, received "\'a\'" at column 1'],
  ['width', 'expected =, !=, <, <=, >, >=, IN, LIKE, BETWEEN, IS or NOT, received the end at column 6'],
  ['width 5', 'expected =, !=, <, <=, >, >=, IN, LIKE, BETWEEN, IS or NOT, received "5" at column 7'],
  ['width == 5', 'expected a text in quotes, a number, true or false, received "=" at column 8'],
  ['width =', 'expected a text in quotes, a number, true or false, received the end at column 8'],
  ['width = height', 'expected a text in quotes, a number, true or false, received "height" at column 9'],
  ['meta.n = NULL', 'expected a text in quotes, a number, true or false, received "NULL" at column 10'],
  ["width = '5'", 'expected a number for width, received "\'5\'" at column 9'],
  ['width = true', 'expected a number for width, received "true" at column 9'],
  ['id = 5', 'expected a text in quotes for id, received "5" at column 6'],
  ['id IN ("a", 5)', 'expected a text in quotes for id, received "5" at column 13'],
  ['meta.n IN (5, "5")', 'expected a number for meta.n, received "\\"5\\"" at column 15'],
  ['meta.n BETWEEN 5 AND "6"', 'expected a number for meta.n, received "\\"6\\"" at column 22'],
  ['meta.n LIKE 5', 'expected a text in quotes for meta.n, received "5" at column 13'],
  ['width LIKE "5%"', 'expected a column of text before LIKE, received "width" at column 1'],
  ['indexed_at LIKE "2024%"', 'expected a column of text before LIKE, received "indexed_at" at column 1'],
  ['meta.b > true', 'expected a text in quotes or a number for meta.b, received "true" at column 10'],
  [
    'meta.b BETWEEN false AND true',
    'expected a text in quotes or a number for meta.b, received "false" at column 16',
  ],
  ['indexed_at > 2024', 'expected a text in quotes for indexed_at, received "2024" at column 14'],
  ...['yesterday', '2024-13-01', '2024-01-01T25:00', "2024'", '2024-01-01; --'].map(
    (date): [string, string] => [
      `indexed_at > "${date}"`,
      `expected a date such as '2024-05-06' or '2024-05-06T07:08:09Z' for indexed_at, received ${JSON.stringify(`"${date}"`)} at column 14`,
    ],
  ),
  ['width = 1 width = 2', 'expected AND, OR or the end, received "width" at column 11'],
  ['width = 1)', 'expected AND, OR or the end, received ")" at column 10'],
  ['(width = 1', 'expected AND, OR or ")", received the end at column 11'],
  ['width = 1 AND', 'expected a column, received the end at column 14'],
  ['width IN 1', 'expected "(", received "1" at column 10'],
  ['width IN ()', 'expected a text in quotes, a number, true or false, received ")" at column 11'],
  ['width IN (1', 'expected "," or ")", received the end at column 12'],
  ['width IN (1,)', 'expected a text in quotes, a number, true or false, received ")" at column 13'],
  ['width NOT = 1', 'expected IN, LIKE or BETWEEN, received "=" at column 11'],
  ['width BETWEEN 1, 2', 'expected AND between the two values, received "," at column 16'],
  ['width IS 5', 'expected NULL or NOT NULL, received "5" at column 10'],
  ['width IS NOT 5', 'expected NULL, received "5" at column 14'],
  ["id = 'open", 'expected a closing quote, received the end at column 11'],
  ['id = "open', 'expected a closing quote, received the end at column 11'],
  [
    'meta. = 1',
    'expected a field name after the dot (in double quotes where it is odd), received " " at column 6',
  ],
  [
    'meta.',
    'expected a field name after the dot (in double quotes where it is odd), received the end at column 6',
  ],
  [
    "meta.'x' = 1",
    'expected a field name after the dot (in double quotes where it is odd), received "\'" at column 6',
  ],
  ['meta.a-b = 1', 'expected a column, a value or an operator, received "-" at column 7'],
  ['width = 1e999', 'expected a number of at most 1.8e308, received 1e999 at column 9'],
  ['"😀" = 1 ; ', 'expected a column, a value or an operator, received ";" at column 9'],
  // attempts to get SQL through
  ['width = 1; DROP TABLE images', 'expected a column, a value or an operator, received ";" at column 10'],
  ['width = 1 -- comment', 'expected a column, a value or an operator, received "-" at column 11'],
  ['width = 1 /* x */', 'expected a column, a value or an operator, received "/" at column 11'],
  [
    'json_get(meta_fields, "x") IS NULL',
    `expected a column (${COLUMNS}) or meta.json_get, received "json_get" at column 1`,
  ],
  ['width = abs(1)', 'expected a text in quotes, a number, true or false, received "abs" at column 9'],
  ['width = (SELECT 1)', 'expected a text in quotes, a number, true or false, received "(" at column 9'],
  ['id = `a`', 'expected a column, a value or an operator, received "`" at column 6'],
  ['id = $1', 'expected a column, a value or an operator, received "$" at column 6'],
  ["id = E'\\n'", 'expected a text in quotes, a number, true or false, received "E" at column 6'],
  ["id = X'00'", 'expected a text in quotes, a number, true or false, received "X" at column 6'],
  ['id\0 = 1', 'expected a column, a value or an operator, received "\\u0000" at column 3'],
  ["id LIKE 'a' ESCAPE 'b'", 'expected AND, OR or the end, received "ESCAPE" at column 13'],
  ["id = 'a' COLLATE x", 'expected AND, OR or the end, received "COLLATE" at column 10'],
];

for (const [text, message] of ERRORS) {
  test(`compileFilter refuses ${JSON.stringify(text)}`, () => {
    const expected = {
      code: 'FILTER_INVALID',
      message: `Cannot read filter ${JSON.stringify(text)}: ${message}`,
    };
    assert.throws(() => compileFilter(text, 'image'), expected);
  });
}

test('compileFilter refuses filters that would overflow a stack', () => {
  const deep = `${'('.repeat(101)}width = 1${')'.repeat(101)}`;
  assert.throws(
    () => compileFilter(deep, 'image'),
    /at most 100 nested parentheses, received "\(" at column 101/,
  );
  assert.throws(() => compileFilter('('.repeat(1e6), 'image'), { code: 'FILTER_INVALID' });
  let levels = 'width = 1 OR width = 2';
  for (let level = 0; level < 13; level++) levels = `width = 3 OR width = 4 AND (${levels})`;
  assert.throws(
    () => compileFilter(levels, 'image'),
    /at most 12 levels of OR inside AND, received 13 levels/,
  );
  const long = Array.from({ length: 501 }, () => 'width = 1').join(' AND ');
  assert.throws(() => compileFilter(long, 'image'), /at most 500 comparisons/);
  assert.equal(compileFilter(`${'NOT '.repeat(100_001)}width = 1`, 'image'), 'CAST(width AS DOUBLE) != 1.0');
});
