import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.ts';

/** Seeds that differed once, each mended since. */
const MENDED: readonly number[] = [];

test('fuzz: 100 seeded sources store the same rows, failures and meta directly and through the queue', async () => {
  const { items, faults } = await fuzz(1, 100);
  assert.deepEqual([...faults], []);
  assert.ok(items > 300, `${items} items`);
});

for (const seed of MENDED) {
  test(`fuzz: seed ${seed}, which differed once`, async () => {
    assert.deepEqual([...(await fuzz(seed, 1)).faults], []);
  });
}
