import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inLanes } from '#search/lanes.ts';

describe('inLanes', () => {
  test('every value is worked on once, in order, and so many at once', async () => {
    const begun: number[] = [];
    let [running, most] = [0, 0];
    await inLanes([0, 1, 2, 3, 4, 5, 6], 3, async (value) => {
      begun.push(value);
      most = Math.max(most, ++running);
      for (let turn = 0; turn < 1 + (value % 3); turn++) await Promise.resolve();
      running--;
    });
    assert.deepEqual([begun, most, running], [[0, 1, 2, 3, 4, 5, 6], 3, 0]);
    await inLanes([], 2, () => assert.fail());
  });

  test('after an error nothing is begun, and what is under way is waited for', async () => {
    const slow = Promise.withResolvers<void>();
    const [begun, ended]: [number[], number[]] = [[], []];
    const all = inLanes([0, 1, 2, 3], 2, async (value) => {
      begun.push(value);
      if (value === 1) throw new Error('the second');
      await slow.promise;
      ended.push(value);
    });
    let isOver = false;
    const settled = all
      .catch(() => undefined)
      .then(() => {
        isOver = true;
      });
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    assert.equal(isOver, false);
    slow.resolve();
    await settled;
    await assert.rejects(all, /the second/);
    assert.deepEqual([begun, ended], [[0, 1], [0]]);
  });
});
