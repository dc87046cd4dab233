import assert from 'node:assert/strict';
import test from 'node:test';
import { parseFilter } from '#search/filter/filter.ts';

const COLUMNS = 'key, source, id, uri, indexed_at, run, width, height, bytes, sha256, format';

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
  test(`parseFilter refuses ${JSON.stringify(text)}`, () => {
    const expected = {
      code: 'FILTER_INVALID',
      message: `Cannot read filter ${JSON.stringify(text)}: ${message}`,
    };
    assert.throws(() => parseFilter(text, 'image'), expected);
  });
}

test('parseFilter refuses filters beyond its limits', () => {
  const deep = `${'('.repeat(33)}width = 1${')'.repeat(33)}`;
  assert.throws(
    () => parseFilter(deep, 'image'),
    /at most 32 nested parentheses, received "\(" at column 33/,
  );
  assert.throws(() => parseFilter('('.repeat(1e6), 'image'), { code: 'FILTER_INVALID' });
  assert.throws(
    () => parseFilter(`id LIKE '${'a'.repeat(1001)}'`, 'image'),
    /a pattern of at most 1000 characters/,
  );
  const patterns = `id LIKE '${'%_'.repeat(400)}' OR uri NOT LIKE '${'_'.repeat(201)}'`;
  assert.throws(() => parseFilter(patterns, 'image'), /at most 1000 % and _ in all patterns/);
  const long = Array.from({ length: 501 }, () => 'width = 1').join(' AND ');
  assert.throws(() => parseFilter(long, 'image'), /at most 500 comparisons/);
  const list = Array.from({ length: 5001 }, (_, i) => i).join(', ');
  const lists = `width IN (${list}) OR width NOT IN (${list})`;
  assert.throws(() => parseFilter(lists, 'image'), /at most 10000 values, received "width" at column/);
});

test('parseFilter gives a tree of what was written', () => {
  const width = { kind: 'column', name: 'width', type: 'number' } as const;
  const tags = { kind: 'meta', path: ['a b', 'tags'] } as const;
  assert.deepEqual(parseFilter(`${'NOT '.repeat(100_001)}WIDTH >= 1`, 'image'), {
    kind: 'not',
    part: { kind: 'compare', field: width, operator: '>=', value: 1 },
  });
  assert.deepEqual(parseFilter(`meta."a b".tags <> 'x' and width in (1, 2)`, 'image'), {
    kind: 'and',
    parts: [
      { kind: 'not', part: { kind: 'compare', field: tags, operator: '=', value: 'x' } },
      { kind: 'in', field: width, values: [1, 2] },
    ],
  });
});
