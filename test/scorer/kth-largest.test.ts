import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kthLargest } from '#scorer/kth-largest.ts';
import { seededRandom } from '../fixtures/files.ts';

test('kthLargest is what a sort has at k, ties and infinities included', () => {
  const random = seededRandom(1);
  for (let round = 0; round < 500; round++) {
    const length = 1 + Math.floor(random() * 60);
    const kinds = 1 + Math.floor(random() * 40);
    const values = Float64Array.from({ length: length + 3 }, () => Math.floor(random() * kinds) - 10);
    if (round % 7 === 0) values[0] = Number.NEGATIVE_INFINITY;
    const sorted = values.slice(0, length).sort().reverse();
    for (const k of [1, Math.ceil(length / 2), length])
      assert.equal(kthLargest(values.slice(), length, k), sorted[k - 1], `${k} of ${values.join(' ')}`);
  }
});
