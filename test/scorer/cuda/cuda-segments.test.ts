import assert from 'node:assert/strict';
import { test } from 'node:test';
import { floatToHalf } from '#float16.ts';
import { CudaSegments } from '#scorer/cuda/cuda-segments.ts';
import { dotHalves } from '#scorer/dot.ts';
import { seededRandom } from '../../fixtures/files.ts';
import { unitVectors } from '../../store/lance/store-fixture.ts';

const [ROWS, DIMENSIONS, QUERIES, K] = [1024, 100, 5, 10];

/** The graph for CUDA on the CPU, which computes in float16 as well. */
test('CudaSegments: the rows in doubt hold the best ones, scores within their error, filtered or not', async () => {
  const random = seededRandom(1);
  const halves = new Uint16Array(new SharedArrayBuffer(2 * ROWS * DIMENSIONS));
  floatToHalf(unitVectors(ROWS, DIMENSIONS, random), halves);
  const queries = unitVectors(QUERIES, DIMENSIONS, random);
  const segments = new CudaSegments('cpu');
  await segments.open({ kind: 'open', segment: 3, halves, rows: ROWS, dimensions: DIMENSIONS });
  const tenth = Uint8Array.from({ length: ROWS }, (_, row) => (row % 10 === 0 ? 0 : 1));
  for (const hidden of [null, tenth]) {
    for (const k of [K, ROWS]) {
      const { ends, rows, values, errors } = await segments.score({
        parts: [{ segment: 3, hidden }],
        queries,
        k,
      });
      for (let q = 0; q < QUERIES; q++) {
        const query = queries.subarray(q * DIMENSIONS, (q + 1) * DIMENSIONS);
        const products = Array.from({ length: ROWS }, (_, row) => ({
          row,
          score: dotHalves(query, halves, row * DIMENSIONS),
        })).filter(({ row }) => !hidden || row % 10 === 0);
        const best = products.toSorted((a, b) => b.score - a.score).slice(0, k);
        const [start, end] = [q === 0 ? 0 : (ends[q - 1] as number), ends[q] as number];
        const found = new Map(Array.from(rows.subarray(start, end), (row, i) => [row, start + i]));
        for (const { row, score } of best) {
          const at = found.get(row);
          assert.ok(at !== undefined, `row ${row} of query ${q}`);
          assert.ok(Math.abs((values[at] as number) - score) <= (errors[at] as number));
        }
        assert.ok(found.size <= products.length);
      }
    }
  }
  await segments.close(3);
});
