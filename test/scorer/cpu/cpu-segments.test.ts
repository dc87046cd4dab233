import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { floatToHalf } from '#float16.ts';
import { CpuSegments } from '#scorer/cpu/cpu-segments.ts';
import { isInt8Exact } from '#scorer/cpu/int8-exact.ts';
import { dotHalves } from '#scorer/dot.ts';
import type { Candidates } from '#scorer/protocol.ts';
import { seededRandom } from '../../fixtures/files.ts';
import { unitVectors } from '../../store/lance/store-fixture.ts';

const [ROWS, DIMENSIONS, QUERIES] = [640, 96, 4];
const unit = unitVectors(ROWS, DIMENSIONS, seededRandom(1));
const rowOf = (i: number): number => Math.floor(i / DIMENSIONS);

/** What 8 bits are most easily wrong about. */
const KINDS: Readonly<Record<string, Float32Array>> = {
  unit,
  'all the same': unit.map((_, i) => unit[i % DIMENSIONS] as number),
  'all zero': new Float32Array(unit.length),
  'some zero': unit.map((value, i) => (rowOf(i) % 3 === 0 ? 0 : value)),
  'smallest float16 numbers': unit.map((_, i) => 2 ** -24 * (i % 5)),
  'lengths from 1e-4 to 100': unit.map((value, i) => value * 10 ** ((rowOf(i) % 7) - 4)),
  'one large value for all': unit.map((value, i) => (i % DIMENSIONS === 5 ? 20 + value : value)),
  'one large value in one row': unit.map((value, i) => (i === 5 ? 1000 : value)),
};
const queries = Float32Array.from([
  ...unitVectors(QUERIES - 2, DIMENSIONS, seededRandom(2)),
  ...unit.subarray(0, DIMENSIONS),
  ...new Float32Array(DIMENSIONS),
]);

async function scored(
  segments: CpuSegments,
  halves: Uint16Array,
  k: number,
  hidden: Uint8Array | null = null,
): Promise<Candidates> {
  await segments.open({ kind: 'open', segment: 1, halves, rows: ROWS, dimensions: DIMENSIONS });
  try {
    return await segments.score({ parts: [{ segment: 1, hidden }], queries, k });
  } finally {
    await segments.close(1);
  }
}

/** Calls back with the rows in doubt of each query, and the true products of all. */
function visit(
  { ends, rows, values, errors }: Candidates,
  halves: Uint16Array,
  check: (found: Map<number, { value: number; error: number }>, products: number[]) => void,
): void {
  for (let q = 0; q < QUERIES; q++) {
    const query = queries.subarray(q * DIMENSIONS, (q + 1) * DIMENSIONS);
    const found = new Map<number, { value: number; error: number }>();
    for (let i = q === 0 ? 0 : (ends[q - 1] as number); i < (ends[q] as number); i++)
      found.set(rows[i] as number, { value: values[i] as number, error: errors[i] as number });
    check(
      found,
      Array.from({ length: ROWS }, (_, row) => dotHalves(query, halves, row * DIMENSIONS)),
    );
  }
}

for (const [form, isExact] of [
  ['8 bits', isInt8Exact],
  ['float32', async () => false],
] as const) {
  describe(`CpuSegments in ${form}`, () => {
    for (const [kind, vectors] of Object.entries(KINDS)) {
      test(`${kind}: every score is within its error`, async () => {
        const halves = floatToHalf(vectors);
        const all = await scored(new CpuSegments(isExact), halves, ROWS);
        visit(all, halves, (found, products) => {
          assert.equal(found.size, ROWS);
          products.forEach((product, row) => {
            const { value, error } = found.get(row) as { value: number; error: number };
            assert.ok(Math.abs(value - product) <= error, `row ${row}: ${value}, ${product} within ${error}`);
          });
        });
      });

      test(`${kind}: the ten best of a half are among its rows in doubt`, async () => {
        const halves = floatToHalf(vectors);
        const hidden = Uint8Array.from({ length: ROWS }, (_, row) => row % 2);
        visit(await scored(new CpuSegments(isExact), halves, 10, hidden), halves, (found, products) => {
          const shown = products.filter((_, row) => row % 2 === 0).sort((a, b) => b - a);
          products.forEach((product, row) => {
            if (row % 2 === 0 && product >= (shown[9] as number)) assert.ok(found.has(row), `row ${row}`);
          });
          for (const row of found.keys()) assert.equal(row % 2, 0);
        });
      });
    }

    test('few rows of random vectors are in doubt', async () => {
      const halves = floatToHalf(unit);
      visit(await scored(new CpuSegments(isExact), halves, 10), halves, (found, products) => {
        if (products.some((product) => product !== 0)) assert.ok(found.size < 30, `${found.size} rows`);
      });
    });
  });
}
