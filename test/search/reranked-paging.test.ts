import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { byScore, type Ranked, type Ranking } from '#search/ranking/ranking.ts';
import type { Hit, SearchOrder } from '#search/request.ts';
import { search } from '#search/search.ts';
import { type Corpus, newCaptions, newImages, queryVector, randomCorpus } from './corpus.ts';
import { everything } from './oracle.ts';

/** How an encoder would order rows: by something of their own, whose last digits are never the same. */
function encoder(log: string[][] = []) {
  return (ranking: Ranking, first: number, minMatch = 0): Ranking =>
    async (k) => {
      const rows = await ranking(first);
      log.push(idsOf(rows));
      const read = rows.map((row): Ranked => {
        const match = matchOf(row.id);
        return { ...row, match, score: match + 1e-6 * Math.random() };
      });
      return read
        .filter(({ match }) => (match ?? 0) >= minMatch)
        .sort(byScore)
        .slice(0, k);
    };
}

function matchOf(id: string): number {
  return createHash('sha256').update(id).digest().readUInt32LE() / 2 ** 32;
}

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

async function pages(
  { tables }: Corpus,
  query: Float32Array,
  request: SearchOrder,
  between: (shown: readonly Hit[]) => Promise<void> = async () => {},
): Promise<Hit[]> {
  const all: Hit[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const asked: SearchOrder = { ...request, cursor: cursor ?? undefined };
    const answer = await search(tables, query, asked, { rerank: encoder() });
    all.push(...answer.hits);
    assert.ok(all.length <= 2000, 'it comes to an end');
    ({ cursor } = answer);
    if (cursor !== null) await between(all);
  }
  return all;
}

describe('re-ranked searches', () => {
  for (const order of [
    { in: 'images' },
    { in: 'captions', groupBy: 'image_id' },
    { in: 'images', keywords: 'violin' },
    { in: 'captions', where: 'meta.n < 5' },
  ] as const) {
    test(`${JSON.stringify(order)}: the first N, in the encoder's order, page by page`, async (t) => {
      const corpus = await randomCorpus(t, 90);
      const query = queryVector(corpus);
      const matches = 'where' in order ? ({ meta }: Ranked['row']) => Number(meta.n) < 5 : undefined;
      for (const rerank of [1, 30, 1000]) {
        const first = idsOf(everything(corpus, query, { ...order, matches }).slice(0, rerank));
        const expected = first.toSorted((a, b) => matchOf(b) - matchOf(a));
        for (const k of [7, 2000]) {
          const hits = await pages(corpus, query, { ...order, rerank, k });
          assert.deepEqual(idsOf(hits), expected, `${rerank} ${k}`);
          assert.deepEqual(
            hits.map(({ rank }) => rank),
            hits.map((_, i) => i + 1),
          );
        }
      }
    });
  }

  test('rows written and deleted meanwhile: of the first N, none twice and none left out', async (t) => {
    const corpus = await randomCorpus(t, 90, 3);
    const query = queryVector(corpus);
    const first = idsOf(everything(corpus, query, { in: 'images' }).slice(0, 40));
    const hits = await pages(corpus, query, { in: 'images', rerank: 40, k: 6 }, async (shown) => {
      const vectors = new Float32Array(8 * query.length);
      for (let i = 0; i < 8; i++) vectors.set(query, i * query.length); // nearer than all
      if (shown.length < 30) await corpus.addImages(newImages(corpus, 8, 'new'), vectors);
      await corpus.deleteImages([shown.at(-1)?.id ?? '', first[shown.length % 40] ?? '']);
    });
    const ids = idsOf(hits);
    assert.equal(new Set(ids).size, ids.length, 'none twice');
    const left = first.filter((id) => corpus.images.has(id) && !ids.includes(id));
    assert.deepEqual(left, []);
  });

  test('grouped: a picture whose best caption goes or comes meanwhile is shown once', async (t) => {
    const corpus = await randomCorpus(t, 60, 5);
    const query = queryVector(corpus);
    const order = { in: 'captions', groupBy: 'image_id' } as const;
    const first = everything(corpus, query, order).slice(0, 30);
    const groups = new Map<string, string>();
    const hits = await pages(corpus, query, { ...order, rerank: 30, k: 5 }, async (shown) => {
      for (const { id, group } of everything(corpus, query, { in: 'captions' })) groups.set(id, group);
      if (shown.length > 20) return;
      const unseen = first.findLast(({ id }) => !idsOf(shown).includes(id));
      const better = newCaptions(corpus, unseen?.group ?? null, 1, `new${shown.length}`);
      await corpus.addCaptions(better, query);
      await corpus.deleteCaptions([shown.at(-1)?.id ?? '']);
      for (const { id, group } of everything(corpus, query, { in: 'captions' })) groups.set(id, group);
    });
    const shown = hits.map(({ id }) => groups.get(id) ?? id);
    assert.equal(new Set(shown).size, shown.length, 'no picture twice');
    const wanted = first.filter(({ id }) => corpus.captions.has(id)).map(({ group }) => group);
    assert.deepEqual(
      wanted.filter((group) => !shown.includes(group)),
      [],
    );
  });

  test('a later page never reads more than twice N again', async (t) => {
    const corpus = await randomCorpus(t, 50);
    const query = queryVector(corpus);
    const log: string[][] = [];
    const means = { rerank: encoder(log) };
    const request: SearchOrder = { in: 'images', rerank: 10, k: 3 };
    const { cursor } = await search(corpus.tables, query, request, means);
    const many = new Float32Array(200 * query.length);
    for (let i = 0; i < 200; i++) many.set(query, i * query.length);
    await corpus.addImages(newImages(corpus, 200, 'new'), many);
    await search(corpus.tables, query, { ...request, cursor: cursor ?? '' }, means);
    assert.ok(log.every((rows) => rows.length <= 20));
    assert.equal(log.at(-1)?.length, 20);
  });

  test('minMatch leaves out what matches less', async (t) => {
    const corpus = await randomCorpus(t, 50);
    const query = queryVector(corpus);
    const request: SearchOrder = { in: 'images', rerank: 40, k: 5, minMatch: 0.5 };
    const first = idsOf(everything(corpus, query, { in: 'images' }).slice(0, 40));
    const hits = await pages(corpus, query, request);
    const expected = first.filter((id) => matchOf(id) >= 0.5).sort((a, b) => matchOf(b) - matchOf(a));
    assert.deepEqual(idsOf(hits), expected);
  });
});
