import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Hit, SearchOrder } from '#search/request.ts';
import { search } from '#search/search.ts';
import type { GenerationTables } from '#store/contract.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { captionRow, generationSpec, imageRow, temporaryStore } from '../store/lance/store-fixture.ts';

/** Ten pictures at the angles 0, 9, 18 … 81 degrees of a plane, the first three with captions at the same angles. */
async function tenPictures(t: Parameters<typeof temporaryStore>[0]): Promise<GenerationTables> {
  const store = await temporaryStore(t);
  const tables = await store.openGeneration(generationSpec());
  const ids = Array.from({ length: 10 }, (_, n) => `p${n}`);
  await tables.images.upsert({
    rows: ids.map((id, n) => imageRow(id, { width: 100 * n, meta: { n, tag: n < 5 ? 'low' : 'high' } })),
    vectors: Float32Array.from(ids.flatMap((_, n) => at(9 * n))),
  });
  const captions = ['p0#0', 'p0#1', 'p1#0'];
  await tables.captions.upsert({
    rows: captions.map((id) => captionRow(id, { imageId: id.slice(0, 2), caption: `says ${id}` })),
    vectors: Float32Array.from([...at(0), ...at(1), ...at(9)]),
  });
  return tables;
}

function at(degrees: number): number[] {
  const angle = (degrees * Math.PI) / 180;
  return [Math.cos(angle), Math.sin(angle), 0, 0];
}

const QUERY = Float32Array.from(at(0));
const ALL: SearchOrder = { in: 'images', k: 100 };

async function hitsOf(tables: GenerationTables, request: SearchOrder): Promise<readonly Hit[]> {
  return (await search(tables, QUERY, request)).hits;
}

describe('search', () => {
  test('the nearest first, ranks from 1, scores are cosines, the first caption with each picture', async (t) => {
    const hits = await hitsOf(await tenPictures(t), { in: 'images', k: 3 });
    assert.deepEqual(
      hits.map(({ score, cosine, meta, key, imageKey, ...hit }) => ({ ...hit, n: meta.n })),
      [
        {
          rank: 1,
          id: 'p0',
          kind: 'image',
          uri: 'file:///p0',
          caption: 'says p0#0',
          match: null,
          source: 'default',
          n: 0,
          width: 0,
          height: 480,
        },
        {
          rank: 2,
          id: 'p1',
          kind: 'image',
          uri: 'file:///p1',
          caption: 'says p1#0',
          match: null,
          source: 'default',
          n: 1,
          width: 100,
          height: 480,
        },
        {
          rank: 3,
          id: 'p2',
          kind: 'image',
          uri: 'file:///p2',
          caption: null,
          match: null,
          source: 'default',
          n: 2,
          width: 200,
          height: 480,
        },
      ],
    );
    for (const { key, imageKey } of hits) assert.equal(imageKey, key);
    assert.ok(hits.every(({ score, cosine }) => score === cosine));
    for (const [n, { score }] of hits.entries())
      assert.ok(Math.abs(score - Math.cos((9 * n * Math.PI) / 180)) < 1e-3, `${score}`);
  });

  test('captions are found by their own vectors', async (t) => {
    const hits = await hitsOf(await tenPictures(t), { in: 'captions', k: 2 });
    assert.deepEqual(
      hits.map(({ rank, kind, caption }) => [rank, kind, caption]),
      [
        [1, 'caption', 'says p0#0'],
        [2, 'caption', 'says p0#1'],
      ],
    );
  });

  test('k beyond the corpus gives all of it', async (t) => {
    assert.equal((await hitsOf(await tenPictures(t), ALL)).length, 10);
  });

  test('a filter counts before scoring: k come back whenever k match', async (t) => {
    const tables = await tenPictures(t);
    for (const [where, expected] of [
      [`meta.tag = 'high'`, ['p5', 'p6', 'p7']],
      [`meta.n > 7`, ['p8', 'p9']],
      [`width >= 300 and meta.tag = 'low'`, ['p3', 'p4']],
      [`meta.n in (9, 2, 4)`, ['p2', 'p4', 'p9']],
      [`meta.missing = 1`, []],
    ] as const) {
      const hits = await hitsOf(tables, { in: 'images', k: 3, where });
      assert.deepEqual(
        hits.map(({ id }) => id),
        expected,
        where,
      );
    }
  });

  test('hits below the least score are left out, ranks stay whole', async (t) => {
    const hits = await hitsOf(await tenPictures(t), { ...ALL, minScore: 0.95 });
    assert.deepEqual(
      hits.map(({ rank, id }) => [rank, id]),
      [
        [1, 'p0'],
        [2, 'p1'],
        [3, 'p2'],
      ],
    );
    assert.deepEqual(await hitsOf(await tenPictures(t), { ...ALL, minScore: 1.01 }), []);
  });

  test('a filter that cannot be understood is refused', async (t) => {
    const wrong = search(await tenPictures(t), QUERY, { ...ALL, where: 'size > 3' });
    await assert.rejects(wrong, vlmoError('FILTER_INVALID', 'size'));
  });

  test('an empty collection gives no hits', async (t) => {
    const tables = await (await temporaryStore(t)).openGeneration(generationSpec());
    assert.deepEqual(await hitsOf(tables, ALL), []);
    const requests: SearchOrder[] = [
      { in: 'captions', k: 1 },
      { in: 'captions', k: 1, groupBy: 'image_id' },
      { in: 'images', k: 1, keywords: 'red apple' },
    ];
    for (const request of requests) {
      assert.deepEqual(await search(tables, QUERY, request), { hits: [], cursor: null, approximate: false });
    }
  });
});
