import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isolateFailures } from '#isolate-failures.ts';

const failed = (item: number, error: unknown): string => `${item}: ${(error as Error).message}`;

/** Squares; rejects a batch that holds one of the bad numbers. */
function squares(bad: readonly number[]) {
  const batches: number[][] = [];
  const run = async (items: readonly number[]): Promise<string[]> => {
    batches.push([...items]);
    if (items.some((item) => bad.includes(item))) throw new Error('no');
    return items.map((item) => String(item * item));
  };
  return { batches, run };
}

describe('isolateFailures', () => {
  test('a batch that succeeds runs once', async () => {
    const { batches, run } = squares([]);
    assert.deepEqual(await isolateFailures([1, 2, 3], run, failed), ['1', '4', '9']);
    assert.deepEqual(batches, [[1, 2, 3]]);
  });

  test('a batch that fails runs item by item, in order: only those at fault fail', async () => {
    const { batches, run } = squares([2, 4]);
    assert.deepEqual(await isolateFailures([1, 2, 3, 4], run, failed), ['1', '2: no', '9', '4: no']);
    assert.deepEqual(batches, [[1, 2, 3, 4], [1], [2], [3], [4]]);
  });

  test('a batch that failed by accident (a thread that died) loses nothing', async () => {
    let calls = 0;
    const run = async (items: readonly number[]): Promise<string[]> => {
      if (calls++ === 0) throw new Error('died');
      return items.map(String);
    };
    assert.deepEqual(await isolateFailures([1, 2], run, failed), ['1', '2']);
  });

  test('a lone item that fails is not run twice', async () => {
    const { batches, run } = squares([7]);
    assert.deepEqual(await isolateFailures([7], run, failed), ['7: no']);
    assert.deepEqual(batches, [[7]]);
  });
});
