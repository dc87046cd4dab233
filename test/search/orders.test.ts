import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SearchOrder } from '#search/request.ts';
import { search } from '#search/search.ts';
import { type Corpus, emptyCorpus, newCaptions, newImages, queryVector, randomCorpus } from './corpus.ts';
import { type Asked, everything } from './oracle.ts';

/** A filter, and what it means. */
const FILTERS: readonly { readonly where?: string; readonly matches?: Asked['matches'] }[] = [
  {},
  { where: 'meta.n < 3', matches: ({ meta }) => Number(meta.n) < 3 },
  { where: 'meta.n = 7 or meta.n = 1', matches: ({ meta }) => meta.n === 7 || meta.n === 1 },
  { where: 'meta.n > 100', matches: () => false },
];
const ORDERS: readonly Omit<SearchOrder, 'k'>[] = [
  { in: 'images' },
  { in: 'captions' },
  { in: 'captions', groupBy: 'image_id' },
  { in: 'images', groupBy: 'image_id' },
  { in: 'images', keywords: 'red violins' },
  { in: 'captions', keywords: 'dog apple boat' },
  { in: 'captions', keywords: 'violin nothing', groupBy: 'image_id' },
  { in: 'captions', minScore: 0.2 },
  { in: 'images', minScore: 0.1, keywords: 'violin' },
];

async function assertFinds(corpus: Corpus, query: Float32Array, asked: Asked, request: SearchOrder) {
  const expected = everything(corpus, query, asked);
  const { hits, cursor } = await search(corpus.tables, query, request);
  const what = JSON.stringify(request);
  assert.deepEqual(
    hits.map(({ id }) => id),
    expected.slice(0, request.k).map(({ id }) => id),
    what,
  );
  for (const [i, { score, rank }] of hits.entries()) {
    assert.equal(rank, i + 1);
    assert.ok(Math.abs(score - (expected[i]?.score ?? Number.NaN)) < 1e-12, what);
  }
  assert.equal(cursor === null, expected.length <= request.k, `${what}: another page where there is one`);
}

describe('search equals a sort of everything in float64', () => {
  for (const order of ORDERS) {
    test(`${JSON.stringify(order)}: any k, filtered or not`, async (t) => {
      const corpus = await randomCorpus(t, 300);
      for (const filter of FILTERS) {
        for (const k of [1, 2, 7, 50, 299, 300, 301, 5000]) {
          const query = queryVector(corpus);
          await assertFinds(corpus, query, { ...order, ...filter }, { ...order, ...filter, k });
        }
      }
    });
  }

  test('all captions of one picture: one group, and others far down are found', async (t) => {
    const corpus = await emptyCorpus(t);
    const query = queryVector(corpus);
    const vectors = new Float32Array(200 * query.length);
    for (let i = 0; i < 200; i++) vectors.set(query, i * query.length);
    await corpus.addCaptions(newCaptions(corpus, 'same', 200, 's'), vectors);
    await corpus.addCaptions(newCaptions(corpus, 'other', 1, 'o'));
    await corpus.addCaptions(newCaptions(corpus, null, 2, 'l'));
    const order = { in: 'captions', groupBy: 'image_id' } as const;
    for (const k of [1, 2, 3, 4, 5]) await assertFinds(corpus, query, order, { ...order, k });
    assert.equal((await search(corpus.tables, query, { ...order, k: 9 })).hits.length, 4);
  });

  test('keywords lift rows from the very end of the order by cosine, and only those', async (t) => {
    const corpus = await emptyCorpus(t);
    const query = queryVector(corpus);
    await corpus.addImages(newImages(corpus, 400, 'p'));
    const last = everything(corpus, query, { in: 'images' }).at(-1)?.id ?? '';
    const caption = newCaptions(corpus, last, 1, 'c').map((row) => ({ ...row, caption: 'A Zebra' }));
    await corpus.addCaptions(caption);
    const { hits } = await search(corpus.tables, query, { in: 'images', k: 400, keywords: 'zebra!' });
    const lifted = hits.filter(({ score, cosine }) => score !== cosine);
    assert.deepEqual(
      lifted.map(({ id }) => id),
      [last],
    );
    assert.ok(Math.abs((lifted[0]?.score ?? 0) - (lifted[0]?.cosine ?? 0) - 0.5) < 1e-12);
    for (const k of [1, 100, 200, 399]) {
      const order = { in: 'images', keywords: 'zebra' } as const;
      await assertFinds(corpus, query, order, { ...order, k });
    }
  });

  test('keywords without a letter or a digit change nothing', async (t) => {
    const corpus = await randomCorpus(t, 50);
    const query = queryVector(corpus);
    await assertFinds(corpus, query, { in: 'images' }, { in: 'images', k: 9, keywords: ' -- 😀' });
    await assertFinds(corpus, query, { in: 'images' }, { in: 'images', k: 9, keywords: 'the' });
  });
});
