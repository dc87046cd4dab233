import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { parseFilter } from '#search/filter/filter.ts';
import { measureRecall } from '#search/measure-recall.ts';
import { approximateScorer } from '#search/ranking/approximate-ranking.ts';
import { exactRanking } from '#search/ranking/exact-ranking.ts';
import { byScore, type Ranked } from '#search/ranking/ranking.ts';
import { sampleQueries } from '#search/sample-queries.ts';
import type { GenerationTables } from '#store/contract.ts';
import { vlmoError } from '../../model/vlmo/model-fixture.ts';
import { clusteredVectors } from '../../store/lance/clustered.ts';
import { captionRow, generationSpec, imageRow, temporaryStore } from '../../store/lance/store-fixture.ts';

const COUNT = 24_000;
const DIMENSIONS = 32;
const { vectors, queries } = clusteredVectors(COUNT, DIMENSIONS, 40);
const [first] = queries as [Float32Array];

/** Pictures with an approximate index; a hundred captions without. */
async function indexed(t: TestContext): Promise<GenerationTables> {
  const store = await temporaryStore(t);
  const tables = await store.openGeneration(generationSpec({ dimensions: DIMENSIONS }));
  const rows = Array.from({ length: COUNT }, (_, n) => imageRow(`p${n}`, { width: n % 3000 }));
  await tables.images.upsert({ rows, vectors });
  const captions = Array.from({ length: 100 }, (_, n) => captionRow(`p${n}#0`, { imageId: `p${n}` }));
  await tables.captions.upsert({ rows: captions, vectors: vectors.slice(0, 100 * DIMENSIONS) });
  await tables.images.buildVectorIndex();
  return tables;
}

function idsOf(rows: readonly Ranked[]): string[] {
  return rows.map(({ id }) => id);
}

describe('approximateScorer', () => {
  test('best first by exact cosine, k whenever k match, and more of the same for a larger k', async (t) => {
    const tables = await indexed(t);
    const ranking = exactRanking(await approximateScorer(tables, 'images'), 'image', first, undefined);
    const ten = await ranking(10);
    assert.equal(ten.length, 10);
    assert.deepEqual(ten, ten.toSorted(byScore));
    for (const { id, kind, row, score, cosine, match } of ten) {
      assert.deepEqual([row.id, kind, score, match], [id, 'image', cosine, null]);
    }
    assert.deepEqual((await ranking(60)).slice(0, 10), ten);
    const exact = await exactRanking(tables.images, 'image', first, undefined)(10);
    const scores = new Map(exact.map(({ id, score }) => [id, score]));
    const found = ten.filter(({ id }) => scores.has(id));
    assert.ok(found.length >= 9);
    for (const { id, score } of found) assert.equal(score, scores.get(id));
    assert.equal((await ranking(COUNT + 1)).length, COUNT);
  });

  test('a filter counts before scoring', async (t) => {
    const scorer = await approximateScorer(await indexed(t), 'images');
    const ranking = exactRanking(scorer, 'image', first, parseFilter('width = 2999', 'image'));
    const ids = ['p2999', 'p5999', 'p8999', 'p11999', 'p14999', 'p17999', 'p20999', 'p23999'];
    assert.deepEqual(idsOf(await ranking(8)).sort(), ids.sort());
    assert.equal((await ranking(100)).length, 8);
  });

  test('without an index it says how to build one', async (t) => {
    const tables = await indexed(t);
    const missing = vlmoError('ANN_INDEX_MISSING', 'captions', 'vlmo optimize --ann --collection default');
    await assert.rejects(approximateScorer(tables, 'captions'), missing);
    await tables.images.dropVectorIndex();
    await assert.rejects(approximateScorer(tables, 'images'), { code: 'ANN_INDEX_MISSING' });
  });

  test('approximateScorer looks into as many partitions as it is told', async (t) => {
    const tables = await indexed(t);
    const one = await approximateScorer(tables, 'images', 1);
    const all = await approximateScorer(tables, 'images', 6);
    let [few, many] = [0, 0];
    for (const query of queries) {
      const best = new Set(idsOf(await exactRanking(tables.images, 'image', query, undefined)(10)));
      few += (await one.nearest(query, { k: 10 })).filter(({ row }) => best.has(row.id)).length;
      many += (await all.nearest(query, { k: 10 })).filter(({ row }) => best.has(row.id)).length;
    }
    assert.ok(few < many, `${few} < ${many}`);
    assert.ok(many >= 0.99 * 10 * queries.length, `${many}`);
  });
});

describe('measureRecall', () => {
  test('recall is what was found of the k best; latency of both; the bound lies below and closer with more', async () => {
    const rows = Array.from({ length: 10 }, (_, n) => ({ row: imageRow(`${n}`), score: 1 - n / 10 }));
    const calls: string[] = [];
    const table = {
      nearest: async () => rows.slice(0, 4),
      async nearestApproximate(_: Float32Array, { probes }: { readonly probes?: number | undefined }) {
        calls.push(String(probes));
        // Of the best four, one probe finds the first and the third.
        return probes === 1
          ? [rows[0], rows[2], rows[5], rows[6]].flatMap((row) => row ?? [])
          : rows.slice(0, 4);
      },
    };
    const query = new Float32Array(4);
    const measure = (count: number) =>
      measureRecall({ table, queries: Array(count).fill(query), k: 4, probes: [1, 9] });
    const [few, many] = [await measure(20), await measure(200)];
    for (const { k, queries: count, exact, settings } of [few, many]) {
      assert.deepEqual(
        settings.map(({ probes, recall }) => [probes, recall]),
        [
          [1, 0.5],
          [9, 1],
        ],
      );
      assert.equal(k, 4);
      assert.ok(count === 20 || count === 200);
      for (const { median, p95 } of [exact, ...settings.map(({ latency }) => latency)]) {
        assert.ok(median > 0 && p95 >= median);
      }
    }
    // Wilson's lower bound, one-sided 95 %: n / (n + 1.645 ** 2) where all is found.
    const bounds = [few, many].map(({ settings }) => settings.map(({ atLeast }) => atLeast.toFixed(3)));
    assert.deepEqual(bounds, [
      ['0.327', '0.881'],
      ['0.442', '0.987'],
    ]);
    assert.ok(calls.includes('1') && calls.includes('9'));
  });

  test('a row as near as the k-th is as good: copies in another order are no loss', async () => {
    const rows = ['a', 'b', 'c'].map((id) => ({ row: imageRow(id), score: 0.5 }));
    const table = { nearest: async () => rows.slice(0, 2), nearestApproximate: async () => rows.slice(1) };
    const report = await measureRecall({ table, queries: [new Float32Array(4)], k: 2, probes: [1] });
    assert.equal(report.settings[0]?.recall, 1);
  });
});

describe('sampleQueries', () => {
  test('the same vectors for a seed, whatever the order of the rows; others for another seed', async (t) => {
    const { images } = await indexed(t);
    const one = await sampleQueries(images, 30, 1);
    assert.equal(one.length, 30);
    assert.equal(new Set(one.map(String)).size, 30);
    assert.notDeepEqual(await sampleQueries(images, 30, 2), one);
    // Rewrites the rows behind all others.
    const rows = Array.from({ length: 12_000 }, (_, n) => imageRow(`p${n}`, { width: 1 }));
    await images.upsert({ rows, vectors: vectors.slice(0, 12_000 * DIMENSIONS) });
    await images.optimize();
    assert.deepEqual(await sampleQueries(images, 30, 1), one);
  });

  test('all rows where there are fewer', async (t) => {
    const { captions } = await indexed(t);
    assert.equal((await sampleQueries(captions, 500, 1)).length, 100);
  });
});
