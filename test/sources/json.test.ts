import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from '#sources/json.ts';

test('parseJson: NaN and Infinity of Python are null, inside texts they are text', () => {
  const text = '{"a": NaN, "b": [Infinity, -Infinity], "NaN": "NaN, \\"Infinity\\"", "c": 1.5}';
  assert.deepEqual(parseJson(text), { a: null, b: [null, null], NaN: 'NaN, "Infinity"', c: 1.5 });
  for (const wrong of ['{"a": NaNs}', '{"a": nan}', 'NaN NaN', '{"a": +Infinity}', '{"a": "NaN}'])
    assert.throws(() => parseJson(wrong), SyntaxError, wrong);
});

test('parseJson: integers that a double is too coarse for keep their digits', () => {
  const text =
    '[9007199254740991, 9007199254740993, -12345678901234567890, 1234567890123456.5, 1e20, "9007199254740993", 0.1234567890123456]';
  assert.deepEqual(parseJson(text), [
    9007199254740991,
    '9007199254740993',
    '-12345678901234567890',
    1234567890123456.5,
    1e20,
    '9007199254740993',
    0.1234567890123456,
  ]);
  assert.throws(() => parseJson('{"a": 01234567890123456789}'), SyntaxError);
});
