import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Hit, SearchOrder } from '#search/request.ts';
import { search } from '#search/search.ts';
import { vlmoError } from '../../model/vlmo/model-fixture.ts';
import { type Corpus, newCaptions, queryVector, randomCorpus } from '../corpus.ts';
import { everything } from '../oracle.ts';

const ORDERS: readonly Omit<SearchOrder, 'k'>[] = [
  { in: 'images' },
  { in: 'images', where: 'meta.n = 3' },
  { in: 'captions', groupBy: 'image_id' },
  { in: 'images', keywords: 'violin boat' },
  { in: 'captions', minScore: 0, rerank: 40 },
];

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

async function pages({ tables }: Corpus, query: Float32Array, request: SearchOrder): Promise<Hit[]> {
  const all: Hit[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const asked: SearchOrder = { ...request, cursor: cursor ?? undefined };
    const answer = await search(tables, query, asked, { rerank: (ranking) => ranking });
    assert.equal(answer.approximate, true);
    all.push(...answer.hits);
    ({ cursor } = answer);
  }
  return all;
}

describe('approximate searches', () => {
  test('without an index they are refused', async (t) => {
    const { tables, ...corpus } = await randomCorpus(t, 5);
    for (const target of ['images', 'captions'] as const) {
      const request: SearchOrder = { in: target, k: 3, approximate: true };
      await assert.rejects(
        search(tables, queryVector({ tables, ...corpus }), request),
        vlmoError('ANN_INDEX_MISSING', target, 'vlmo optimize --ann'),
      );
    }
  });

  test('k hits whenever k match, nearly the right ones, none twice, rows written since among them', async (t) => {
    const corpus = await randomCorpus(t, 10_500, 9);
    await corpus.tables.images.buildVectorIndex();
    await corpus.tables.captions.buildVectorIndex();
    const late = [...corpus.images.keys()].slice(0, 30);
    await corpus.addCaptions(late.flatMap((id, i) => newCaptions(corpus, id, 1, `late${i}`)));
    for (const order of ORDERS) {
      const what = JSON.stringify(order);
      const query = queryVector(corpus);
      const matches = order.where
        ? ({ meta }: { meta: Readonly<Record<string, unknown>> }) => meta.n === 3
        : undefined;
      const right = everything(corpus, query, { ...order, matches });
      const most = order.rerank ?? Number.POSITIVE_INFINITY;
      for (const k of [10, 35]) {
        const { hits } = await search(
          corpus.tables,
          query,
          { ...order, k, approximate: true },
          { rerank: (r) => r },
        );
        assert.equal(hits.length, Math.min(k, right.length, most), what);
        const best = new Set(idsOf(right.slice(0, k)));
        const found = hits.filter(({ id }) => best.has(id)).length;
        assert.ok(found >= 0.8 * hits.length, `${what}: ${found} of ${hits.length}`);
      }
      const shown = await pages(corpus, query, { ...order, k: 2500, approximate: true });
      const ids = idsOf(shown);
      assert.equal(new Set(ids).size, ids.length, `${what}: none twice`);
      assert.ok(
        ids.length >= 0.8 * Math.min(right.length, most),
        `${what}: ${ids.length} of ${right.length}`,
      );
    }
  });
});
