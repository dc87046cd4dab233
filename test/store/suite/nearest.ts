import assert from 'node:assert/strict';
import { test } from 'node:test';
import { floatToHalf, halfToFloat } from '#float16.ts';
import { parseFilter } from '#search/filter/filter.ts';
import type { ImageRecord, VectorTable } from '#store/contract.ts';
import { seededRandom } from '../../fixtures/files.ts';
import { generationSpec, imageRow, unitVectors } from '../lance/store-fixture.ts';
import type { OpenStore } from './open.ts';

/** The definition of the answer: float64 products of the stored float16 values, by score, then id. */
function bruteForce(rows: readonly ImageRecord[], stored: Float32Array, query: Float32Array, k: number) {
  const scored = rows.map((row, index) => {
    const vector = stored.subarray(index * query.length, (index + 1) * query.length);
    return { id: row.id, score: query.reduce((sum, value, i) => sum + value * (vector[i] as number), 0) };
  });
  return scored.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, k);
}

async function nearest(table: VectorTable<ImageRecord>, query: Float32Array, k: number, where?: string) {
  const found = await table.nearest(query, {
    k,
    where: where === undefined ? undefined : parseFilter(where, 'image'),
  });
  return found.map(({ row, score }) => ({ id: row.id, score }));
}

/** Exact search against its definition. */
export function nearestSuite(open: OpenStore): void {
  for (const dimensions of [1, 3, 8, 64, 768]) {
    test(`VectorTable.nearest equals brute force in float64, ${dimensions} dimensions`, async (t) => {
      const store = await open(t);
      const { images } = await store.openGeneration(generationSpec({ dimensions }));
      const random = seededRandom(dimensions);
      const vectors = unitVectors(1500, dimensions, random);
      // A third are copies of one of ten others, so that ties lie across the boundary of every k.
      for (let row = 1000; row < 1500; row++) {
        const source = Math.floor(random() * 10);
        vectors.copyWithin(row * dimensions, source * dimensions, (source + 1) * dimensions);
      }
      const rows = Array.from({ length: 1500 }, (_, index) =>
        imageRow(`${Math.floor(random() * 1e9)}-${index}`, { width: index % 7 }),
      );
      for (const start of [0, 500, 1000]) {
        const slice = vectors.slice(start * dimensions, (start + 500) * dimensions);
        await images.upsert({ rows: rows.slice(start, start + 500), vectors: slice });
      }
      const stored = halfToFloat(floatToHalf(vectors));
      const queries = [
        unitVectors(1, dimensions, random),
        vectors.slice(0, dimensions),
        vectors.slice(-dimensions),
      ];
      for (const query of queries) {
        for (const k of [1, 2, 10, 49, 50, 51, 300, 1500, 4000]) {
          assert.deepEqual(await nearest(images, query, k), bruteForce(rows, stored, query, k));
        }
        const wanted = rows.flatMap((row, index) => (row.width === 3 ? [index] : []));
        const some = wanted.map((index) => rows[index] as ImageRecord);
        const theirs = Float32Array.from(
          wanted.flatMap((i) => [...stored.subarray(i * dimensions, (i + 1) * dimensions)]),
        );
        assert.deepEqual(await nearest(images, query, 20, 'width = 3'), bruteForce(some, theirs, query, 20));
      }
    });
  }

  test('VectorTable.nearest is right where every vector is the same', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    const rows = Array.from({ length: 5000 }, (_, index) => imageRow(`${4999 - index}`.padStart(4, '0')));
    await images.upsert({ rows, vectors: new Float32Array(20_000).fill(0.5) });
    const ids = (await nearest(images, new Float32Array(4).fill(0.5), 5)).map(({ id }) => id);
    assert.deepEqual(ids, ['0000', '0001', '0002', '0003', '0004']);
  });

  test('VectorTable.nearest orders near ties that float16 queries cannot tell apart', async (t) => {
    const store = await open(t);
    const dimensions = 64;
    const { images } = await store.openGeneration(generationSpec({ dimensions }));
    const [base] = [unitVectors(1, dimensions, seededRandom(5))];
    const random = seededRandom(6);
    const vectors = new Float32Array(2000 * dimensions);
    for (let row = 0; row < 2000; row++) {
      const vector = base.map((value) => value * (1 + (random() - 0.5) * 2e-3));
      const length = Math.hypot(...vector);
      vectors.set(
        vector.map((value) => value / length),
        row * dimensions,
      );
    }
    const rows = Array.from({ length: 2000 }, (_, index) => imageRow(`${index}`));
    await images.upsert({ rows, vectors });
    const expected = bruteForce(rows, halfToFloat(floatToHalf(vectors)), base, 25);
    assert.deepEqual(await nearest(images, base, 25), expected);
  });

  test('VectorTable.nearest answers an empty table, k = 0 and a filter that nothing passes', async (t) => {
    const store = await open(t);
    const { images } = await store.openGeneration(generationSpec());
    const query = unitVectors(1, 4);
    assert.deepEqual(await nearest(images, query, 3), []);
    await images.upsert({ rows: [imageRow('a')], vectors: query });
    assert.deepEqual(await nearest(images, query, 0), []);
    assert.deepEqual(await nearest(images, query, 3, 'width < 0'), []);
    assert.equal((await nearest(images, query, 3)).length, 1);
    await images.delete([imageRow('a').key]);
    assert.deepEqual(await nearest(images, query, 3), []);
    await assert.rejects(nearest(images, new Float32Array(3), 3), /expected 4 values/);
  });
}
