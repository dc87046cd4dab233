import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { floatToHalf, halfToFloat } from '#float16.ts';
import type { Backend } from '#scorer/backend.ts';
import { GrowingRows } from '#scorer/growing-rows.ts';
import { IdList } from '#scorer/id-list.ts';
import { score } from '#scorer/score.ts';
import { seededRandom } from '../fixtures/files.ts';
import { unitVectors } from '../store/lance/store-fixture.ts';

const [ROWS, D, QUERIES] = [512, 100, 6];
const ERROR = 2 ** -45;
const random = seededRandom(5);

/** Rows of which each third is its neighbour again, and a device that is off by up to its error, otherwise in each row. */
function scene() {
  const vectors = unitVectors(ROWS, D, random);
  for (let row = 2; row < ROWS; row += 3) vectors.copyWithin(row * D, (row - 1) * D, row * D);
  const halves = floatToHalf(vectors);
  const ids = new IdList();
  for (let row = 0; row < ROWS; row++) ids.push(String((row * 7919) % 1009));
  const queries = unitVectors(QUERIES, D, random);
  const products = Array.from({ length: QUERIES }, (_, q) =>
    Float64Array.from({ length: ROWS }, (_, row) => product(queries, q, halves, row)),
  );
  const backend: Backend = {
    open: async () => {},
    close: async () => {},
    async score() {
      const all = products.flatMap((mine) => [...mine]);
      return {
        ends: Int32Array.from(products, (_, q) => (q + 1) * ROWS),
        parts: new Int32Array(all.length),
        rows: Int32Array.from(all, (_, i) => i % ROWS),
        values: Float64Array.from(all, (value, i) => value + (i % 2 === 0 ? ERROR : -ERROR)),
        errors: new Float64Array(all.length).fill(ERROR),
      };
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const addresses = BigUint64Array.from({ length: ROWS }, (_, row) => BigInt(3 * row));
  const segment = { number: 0, backend, halves, ids, addresses, rows: ROWS, first: 0 };
  const view = { parts: [{ segment, count: ROWS, hidden: null }], tail: undefined };
  const expected = products.map((mine) =>
    Array.from(mine, (score, row) => ({ address: BigInt(3 * row), id: ids.at(row), score })).sort(
      (a, b) => b.score - a.score || (a.id < b.id ? -1 : 1),
    ),
  );
  return { view, queries, expected };
}

function product(queries: Float32Array, q: number, halves: Uint16Array, row: number): number {
  const values = halfToFloat(halves.subarray(row * D, (row + 1) * D));
  return values.reduce((sum, value, i) => sum + (queries[q * D + i] as number) * value, 0);
}

describe('score, with a device that is as exact as float64', () => {
  test('tells apart what lies within its error, and otherwise takes its scores', async () => {
    const { view, queries, expected } = scene();
    for (const k of [1, 10, ROWS - 1, ROWS, 2 * ROWS]) {
      const found = await score(view, new GrowingRows(), queries, D, k);
      for (const [q, rows] of found.entries()) {
        const right = (expected[q] ?? []).slice(0, k);
        assert.deepEqual(
          rows.map(({ id }) => id),
          right.map(({ id }) => id),
        );
        rows.forEach((row, i) => {
          assert.ok(Math.abs(row.score - (right[i]?.score ?? 0)) <= ERROR);
        });
      }
    }
  });

  test('gives scores to the last bit where they have to be repeatable', async () => {
    const { view, queries, expected } = scene();
    const found = await score(view, new GrowingRows(), queries, D, 20, { isRepeatable: true });
    assert.deepEqual(
      found,
      expected.map((rows) => rows.slice(0, 20)),
    );
  });
});
