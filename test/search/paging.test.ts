import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Hit, SearchOrder } from '#search/request.ts';
import { search } from '#search/search.ts';
import { type Corpus, newCaptions, newImages, queryVector, randomCorpus } from './corpus.ts';
import { everything } from './oracle.ts';

const ORDERS: readonly Omit<SearchOrder, 'k'>[] = [
  { in: 'images' },
  { in: 'captions' },
  { in: 'captions', groupBy: 'image_id' },
  { in: 'images', keywords: 'red violin' },
  { in: 'captions', keywords: 'dog violin', groupBy: 'image_id' },
  { in: 'captions', keywords: 'dogs', minScore: -0.2 },
];

/** All pages, with something done between each two. */
async function pages(
  { tables }: Corpus,
  query: Float32Array,
  request: SearchOrder,
  between: (page: number, hits: readonly Hit[]) => Promise<void> = async () => {},
): Promise<Hit[]> {
  const all: Hit[] = [];
  let cursor: string | null | undefined;
  for (let page = 1; cursor !== null; page++) {
    const answer = await search(tables, query, { ...request, cursor: cursor ?? undefined });
    assert.ok(page <= 400, 'it comes to an end');
    assert.ok(answer.cursor === null || answer.hits.length === request.k, 'a page is full, or the last');
    all.push(...answer.hits);
    ({ cursor } = answer);
    if (cursor !== null) await between(page, all);
  }
  return all;
}

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

describe('pages', () => {
  for (const order of ORDERS) {
    const name = JSON.stringify(order);
    test(`${name}: put together they are the whole order, with ranks that go on`, async (t) => {
      const corpus = await randomCorpus(t, 120);
      const query = queryVector(corpus);
      for (const [where, matches] of [
        [undefined, undefined],
        ['meta.n < 5', isSmall],
      ] as const) {
        const expected = everything(corpus, query, { ...order, ...(matches && { matches }) });
        for (const k of [1, 7, 60, 1000]) {
          if (k === 1 && expected.length > 150) continue; // as many searches as rows
          const hits = await pages(corpus, query, { ...order, where, k });
          assert.deepEqual(idsOf(hits), idsOf(expected), `${name} ${where} ${k}`);
          assert.deepEqual(
            hits.map(({ rank }) => rank),
            hits.map((_, i) => i + 1),
          );
        }
      }
    });

    test(`${name}: rows written and deleted meanwhile make none come twice, none be left out`, async (t) => {
      const corpus = await randomCorpus(t, 150, 7);
      const query = queryVector(corpus);
      const shows = new Map<string, string>();
      const atFirst = everything(corpus, query, { ...order, groupBy: undefined });
      const hits = await pages(corpus, query, { ...order, k: 10 }, async (page, shown) => {
        if (page > 8) return; // more is written than shown: it would never end
        await write(corpus, order, page);
        for (const { id, group } of everything(corpus, query, { in: order.in })) shows.set(id, group);
        await remove(corpus, order, shown.at(-1)?.id ?? '');
      });
      const shown = hits.map(({ id }) => (order.groupBy ? (shows.get(id) ?? id) : id));
      assert.equal(new Set(shown).size, shown.length, 'none twice');
      const still = atFirst.filter(({ id }) => corpus[order.in].has(id));
      assert.ok(still.length < atFirst.length - 20, 'many were deleted');
      const known = new Set(shown);
      const missing = still.filter(({ id, group }) => !known.has(order.groupBy ? group : id));
      assert.deepEqual(idsOf(missing), []);
    });
  }

  test('a keyword that becomes frequent meanwhile counts as it did on the first page', async (t) => {
    const corpus = await randomCorpus(t, 150, 11);
    const query = queryVector(corpus);
    const order = { in: 'captions', keywords: 'red violin' } as const;
    const before = everything(corpus, query, order);
    const hits = await pages(corpus, query, { ...order, k: 60 }, async (page) => {
      if (page > 1) return;
      const many = newCaptions(corpus, null, 600, 'new').map((row) => ({ ...row, caption: 'violin' }));
      await corpus.addCaptions(many);
    });
    const old = hits.filter(({ id }) => !id.startsWith('new'));
    assert.deepEqual(
      old.map(({ id, score }) => [id, score.toFixed(9)]),
      before.map(({ id, score }) => [id, score.toFixed(9)]),
    );
  });

  test('the length of pages may change on the way', async (t) => {
    const corpus = await randomCorpus(t, 30);
    const query = queryVector(corpus);
    const first = await search(corpus.tables, query, { in: 'images', k: 4 });
    const rest = await search(corpus.tables, query, { in: 'images', k: 100, cursor: first.cursor ?? '' });
    const all = everything(corpus, query, { in: 'images' });
    assert.deepEqual(idsOf([...first.hits, ...rest.hits]), idsOf(all));
    assert.equal(rest.cursor, null);
  });
});

/** Pictures with captions; where captions are searched, also more captions of pictures that are there. */
async function write(corpus: Corpus, order: Omit<SearchOrder, 'k'>, page: number): Promise<void> {
  const images = newImages(corpus, 5, `new${page}-`);
  await corpus.addImages(images);
  const old = order.in === 'captions' ? [...corpus.images.keys()].filter((_, i) => i % 20 === page) : [];
  const ids = [...images.map(({ id }) => id), ...old];
  await corpus.addCaptions(ids.flatMap((id, i) => newCaptions(corpus, id, 2, `new${page}-${i}`)));
}

/** The row shown last, and some others that were shown or not. */
async function remove(corpus: Corpus, { in: target }: Omit<SearchOrder, 'k'>, last: string): Promise<void> {
  const others = [...corpus[target].keys()].filter(() => corpus.random() < 0.03);
  const ids = [last, ...others];
  if (target === 'images') await corpus.deleteImages(ids);
  else await corpus.deleteCaptions(ids);
}

function isSmall({ meta }: { readonly meta: Readonly<Record<string, unknown>> }): boolean {
  return Number(meta.n) < 5;
}
