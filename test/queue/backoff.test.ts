import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { backoffMs, doublingMs } from '#queue/backoff.ts';

const middle = (): number => 0.5;
const lowest = (): number => 0;
const highest = (): number => 1;

describe('backoffMs', () => {
  test('each wait is four times the one before, up to a minute', () => {
    const waits = [1, 2, 3, 4, 5, 100].map((attempt) => backoffMs(attempt, middle));
    assert.deepEqual(waits, [1000, 4000, 16_000, 60_000, 60_000, 60_000]);
  });

  test('chance makes it up to a fifth shorter or longer', () => {
    assert.deepEqual([backoffMs(2, lowest), backoffMs(2, highest)], [3200, 4800]);
  });

  test('left to itself it differs from time to time, within these bounds', () => {
    const waits = Array.from({ length: 200 }, () => backoffMs(1));
    assert.ok(waits.every((ms) => ms >= 800 && ms <= 1200));
    assert.ok(new Set(waits).size > 50);
  });
});

describe('doublingMs', () => {
  test('is as long as it has been going on, a second at least and a minute at most', () => {
    const waits = [0, 500, 1000, 30_000, 60_000, 10 ** 9].map((ms) => doublingMs(ms, middle));
    assert.deepEqual(waits, [1000, 1000, 1000, 30_000, 60_000, 60_000]);
  });

  test('chance makes it up to a fifth shorter or longer', () => {
    assert.deepEqual([doublingMs(10_000, lowest), doublingMs(10_000, highest)], [8000, 12_000]);
  });
});
