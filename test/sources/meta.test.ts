import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OpenMeta, parseCell, setMeta } from '#sources/meta.ts';

test('parseCell: numbers only where the text comes back unchanged', () => {
  const numbers = ['0', '-1', '0.5', '1e+21', '-2.25', '1234567890123'];
  for (const cell of numbers) assert.equal(parseCell(cell), Number(cell));
  const texts = [
    '',
    '007',
    '1e3',
    '1.0',
    '-0',
    '+1',
    ' 1',
    '0x10',
    'NaN',
    'Infinity',
    '-Infinity',
    '12345678901234567890',
    '.5',
    '-',
  ];
  for (const cell of texts) assert.equal(parseCell(cell), cell);
});

test('setMeta: __proto__ is a key like any other', () => {
  const meta: OpenMeta = {};
  setMeta(meta, '__proto__', { polluted: true });
  setMeta(meta, 'constructor', 1);
  assert.deepEqual(Object.keys(meta), ['__proto__', 'constructor']);
  assert.equal(Object.getPrototypeOf(meta), Object.prototype);
  assert.equal(meta.polluted, undefined);
});
