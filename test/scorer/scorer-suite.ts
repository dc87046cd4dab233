import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { floatToHalf, halfToFloat } from '#float16.ts';
import { parseFilter } from '#search/filter/filter.ts';
import type { ImageRecord, NearestOptions, Neighbour, VectorTable } from '#store/contract.ts';
import { seededRandom } from '../fixtures/files.ts';
import {
  closeAfter,
  generationSpec,
  imageKeys,
  imageRow,
  temporaryStore,
  unitVectors,
} from '../store/lance/store-fixture.ts';

/** What every exact scorer does. */
export interface TestedScorer {
  nearest(query: Float32Array, options: NearestOptions): Promise<Neighbour<ImageRecord>[]>;
}

export type MakeScorer = (
  table: VectorTable<ImageRecord>,
  dimensions: number,
  t: TestContext,
) => Promise<TestedScorer>;

interface Scene {
  readonly table: VectorTable<ImageRecord>;
  readonly scorer: TestedScorer;
  readonly dimensions: number;
  /** What the table holds: float16 values by id, and the row. */
  readonly held: Map<string, { readonly row: ImageRecord; readonly values: Float32Array }>;
  put(ids: readonly string[], vectors: Float32Array, changes?: Partial<ImageRecord>): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
  /** Holds that the scorer finds what a sort of all float64 products gives. */
  check(query: Float32Array, k: number, filter?: Filter): Promise<void>;
}

interface Filter {
  readonly where: string;
  readonly holds: (row: ImageRecord) => boolean;
}

const SOME: Filter = { where: 'width = 3', holds: ({ width }) => width === 3 };
const NONE: Filter = { where: 'width < 0', holds: () => false };

/** The contract of exact scorers, held against a brute force in float64. `sizes`: how many rows; the slow get few. */
export function scorerSuite(name: string, make: MakeScorer, sizes: readonly number[]): void {
  describe(name, () => {
    for (const size of sizes) {
      test(`equals brute force, ids and order, ties by id: ${size} rows, any k, filtered or not`, async (t) => {
        const scene = await begin(make, t, 24);
        const random = seededRandom(size);
        const vectors = unitVectors(size, 24, random);
        // A third are copies of ten others, so that ties lie across the boundary of every k.
        for (let row = Math.ceil(size / 1.5); row < size; row++) {
          const source = Math.floor(random() * Math.min(10, size));
          vectors.copyWithin(row * 24, source * 24, (source + 1) * 24);
        }
        const ids = Array.from({ length: size }, (_, i) => `${Math.floor(random() * 1e9)}-${i}`);
        for (let width = 0; width < 5; width++) {
          const mine = ids.flatMap((_, i) => (i % 5 === width ? [i] : []));
          const part = Float32Array.from(mine.flatMap((i) => [...vectors.subarray(i * 24, (i + 1) * 24)]));
          await scene.put(
            mine.map((i) => ids[i] as string),
            part,
            { width },
          );
        }
        for (const query of [unitVectors(1, 24, random), vectors.slice(0, 24)]) {
          if (query.length === 0) continue;
          for (const k of [0, 1, 10, 50, size, size + 7]) await scene.check(query, k);
          await scene.check(query, 20, SOME);
          await scene.check(query, size + 1, SOME);
          await scene.check(query, 5, NONE);
        }
      });
    }

    test('sees each commit at once: new rows, changed ones, deletes, and a compaction', async (t) => {
      const scene = await begin(make, t, 8);
      const random = seededRandom(3);
      const query = unitVectors(1, 8, random);
      await scene.check(query, 3);
      for (let round = 0; round < 4; round++) {
        const ids = Array.from({ length: 90 }, (_, i) => `${round}-${i}`);
        await scene.put(ids, unitVectors(90, 8, random), { width: round });
        await scene.check(query, 5);
        await scene.put(ids.slice(0, 9), unitVectors(9, 8, random), { width: 3 });
        await scene.check(query, 5, SOME);
        await scene.remove(ids.slice(5, 30));
        await scene.check(query, 400);
        if (round % 2 === 1) await scene.table.optimize();
        await scene.check(query, 60);
      }
      await scene.put(['best'], query);
      const [hit] = await scene.scorer.nearest(query, { k: 1 });
      assert.equal(hit?.row.id, 'best');
      await scene.remove([...scene.held.keys()]);
      assert.deepEqual(await scene.scorer.nearest(query, { k: 3 }), []);
    });

    test('tells near ties apart that float32 sums cannot', async (t) => {
      const scene = await begin(make, t, 32);
      const base = unitVectors(1, 32, seededRandom(5));
      const random = seededRandom(6);
      const vectors = new Float32Array(700 * 32);
      for (let row = 0; row < 700; row++) {
        const vector = base.map((value) => value * (1 + (random() - 0.5) * 2e-3));
        const length = Math.hypot(...vector);
        vectors.set(
          vector.map((value) => value / length),
          row * 32,
        );
      }
      await scene.put(
        Array.from({ length: 700 }, (_, i) => `${i}`),
        vectors,
      );
      await scene.check(base, 25);
    });

    test('is right where every vector is the same, and for ids of any text', async (t) => {
      const scene = await begin(make, t, 4);
      const ids = Array.from({ length: 300 }, (_, i) => `${299 - i}`.padStart(3, '0'));
      const odd = ['ü', '\ud800 lone', 'a\nb', '"', '😀'];
      await scene.put([...ids, ...odd], new Float32Array(4 * 305).fill(0.5));
      await scene.check(new Float32Array(4).fill(0.5), 305);
      await scene.check(new Float32Array(4).fill(-0.5), 7);
    });
  });
}

async function begin(make: MakeScorer, t: TestContext, dimensions: number): Promise<Scene> {
  const store = await temporaryStore(t);
  const { images: table } = await store.openGeneration(generationSpec({ dimensions }));
  const scorer = await make(table, dimensions, t);
  if (Symbol.asyncDispose in scorer) closeAfter(t, scorer as TestedScorer & AsyncDisposable);
  const held: Scene['held'] = new Map();
  return {
    ...{ table, scorer, dimensions, held },
    async put(ids, vectors, changes) {
      if (ids.length === 0) return;
      const rows = ids.map((id) => imageRow(id, changes));
      await table.upsert({ rows, vectors });
      const values = halfToFloat(floatToHalf(vectors));
      rows.forEach((row, i) => {
        held.set(row.id, { row, values: values.slice(i * dimensions, (i + 1) * dimensions) });
      });
    },
    async remove(ids) {
      await table.delete(imageKeys(ids));
      for (const id of ids) held.delete(id);
    },
    async check(query, k, filter) {
      const found = await scorer.nearest(query, { k, where: filter && parseFilter(filter.where, 'image') });
      const expected = [...held.values()]
        .filter(({ row }) => filter?.holds(row) ?? true)
        .map(({ row, values }) => ({
          id: row.id,
          score: query.reduce((sum, value, i) => sum + value * (values[i] as number), 0),
        }))
        .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
        .slice(0, k);
      assert.deepEqual(
        found.map(({ row, score }) => ({ id: row.id, score })),
        expected,
      );
    },
  };
}
