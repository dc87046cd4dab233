import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatCount, formatDuration, printable, table } from '#cli/output.ts';
import { describe as describeProgress } from '#cli/progress.ts';

describe('printable', () => {
  for (const [text, shown] of [
    ['plain é 日本 🎨', 'plain é 日本 🎨'],
    ['\u001b[31m', '\\x1b[31m'],
    ['a\nb\tc\r', 'a\\x0ab\\x09c\\x0d'],
    ['\u009b31m\u007f', '\\x9b31m\\x7f'],
    ['\u202egnp\u2066', '\\u202egnp\\u2066'],
    ['\u2028', '\\u2028'],
  ] as const) {
    test(`${JSON.stringify(text)} is shown as ${shown}`, () => assert.equal(printable(text), shown));
  }
});

describe('table', () => {
  test('columns are as wide as their widest cell, the last is not padded', () => {
    const rows = [
      ['a', 'long', 'x'],
      ['bcd', 'e', 'last one'],
    ];
    assert.equal(table(rows), 'a    long  x\nbcd  e     last one');
  });

  test('a cell with a line break stays in its line', () => {
    assert.equal(table([['a\nb', 'c']]), 'a\\x0ab  c');
  });
});

test('formatDuration: seconds, minutes and hours', () => {
  assert.deepEqual([0.04, 9.94, 12.4, 59.6, 200, 3600, 7510].map(formatDuration), [
    ...['0.0 s', '9.9 s', '12 s', '1 min 00 s', '3 min 20 s', '1 h 00 min', '2 h 05 min'],
  ]);
});

test('formatCount: thousands apart', () => {
  assert.deepEqual([0, 999, 1234567].map(formatCount), ['0', '999', '1,234,567']);
});

test('describe: done, failed, skipped, rate, and the time left where it is known', () => {
  const none = { seen: 0, stored: 0, skipped: 0, failed: 0 };
  const kinds = { images: none, captions: none };
  const progress = {
    seen: 20_000,
    stored: 12_345,
    failed: 3,
    skipped: 200,
    knownFailures: 0,
    rate: 85.4,
    kinds,
  };
  assert.equal(
    describeProgress({ ...progress, fraction: 0.619, secondsLeft: 200 }),
    '61 %  12,345 done, 3 failed, 200 skipped, 85 a second, 3 min 20 s left',
  );
  assert.equal(
    describeProgress({ ...progress, rate: 0.25, fraction: undefined, secondsLeft: undefined }),
    '12,345 done, 3 failed, 200 skipped, 0.3 a second',
  );
});
