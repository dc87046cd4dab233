import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  choice,
  decimal,
  either,
  type OptionType,
  present,
  text,
  texts,
  wholeNumber,
} from '#config/option.ts';

const TAKEN: readonly [name: string, type: OptionType<unknown>, said: unknown, value: unknown][] = [
  ['wholeNumber', wholeNumber(1, 9), '9', 9],
  ['wholeNumber', wholeNumber(1, 9), ' 1 ', 1],
  ['wholeNumber', wholeNumber(1, 9), 5, 5],
  ['wholeNumber', wholeNumber(1), '1e3', 1000],
  ['decimal', decimal(), '-0.25', -0.25],
  ['decimal', decimal(0, 1), 1, 1],
  ['choice', choice('cpu', 'cuda'), 'cuda', 'cuda'],
  ['choice', choice('cpu', 'cuda'), ' cpu\n', 'cpu'],
  ['either', either(choice('auto'), wholeNumber(1, 9)), 'auto', 'auto'],
  ['either', either(choice('auto'), wholeNumber(1, 9)), '3', 3],
  ['text', text, ' as it is ', ' as it is '],
  ['present', present, true, true],
  ['present', present, 'Yes', true],
  ['present', present, '1', true],
  ['present', present, '0', false],
  ['present', present, 'off', false],
  ['texts', texts, 'a\r\nb c\n\n', ['a', 'b c']],
  ['texts', texts, ['a', 'b\nc'], ['a', 'b\nc']],
];
const REFUSED: readonly [name: string, type: OptionType<unknown>, said: unknown][] = [
  ...['0', '10', '1.5', '', ' ', 'NaN', 'Infinity', '0x', null, true, [2], {}].map(
    (said) => ['wholeNumber', wholeNumber(1, 9), said] as [string, OptionType<unknown>, unknown],
  ),
  ['wholeNumber without an end', wholeNumber(1), 2 ** 53],
  ['decimal', decimal(), 'Infinity'],
  ['decimal', decimal(0, 1), '1.01'],
  ['choice', choice('cpu', 'cuda'), 'CUDA'],
  ['either', either(choice('auto'), wholeNumber(1, 9)), 'automatic'],
  ['text', text, 3],
  ['present', present, 'maybe'],
  ['present', present, 1],
  ['texts', texts, [1]],
];

for (const [name, type, said, value] of TAKEN)
  test(`${name}: ${JSON.stringify(said)} is ${JSON.stringify(value)}`, () => {
    assert.deepEqual(type.parse(said), value);
  });

for (const [name, type, said] of REFUSED)
  test(`${name}: ${JSON.stringify(said)} is none`, () => {
    assert.equal(type.parse(said), undefined);
  });

describe('range', () => {
  test('says in words what is taken', () => {
    assert.equal(wholeNumber(1, 9).range, 'a whole number from 1 to 9');
    assert.equal(wholeNumber(1).range, 'a whole number from 1');
    assert.equal(decimal(0, 1).range, 'a number from 0 to 1');
    assert.equal(choice('a', 'b', 'c').range, '"a", "b" or "c"');
    assert.equal(either(choice('auto'), wholeNumber(1, 9)).range, 'a whole number from 1 to 9, or "auto"');
  });
});
