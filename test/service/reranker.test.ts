import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readParquet } from '#parquet.ts';
import type { SearchAnswer } from '#search/request.ts';
import { openIndex } from '#service/open-index.ts';
import type { IndexSettings } from '#service/settings.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { BLIP, CLIP, EXPECTED, expectedPair, IMAGES } from '../model/blip/blip-fixture.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

const SETTINGS = { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 } as const;
const COMPUTES: readonly IndexSettings[] = [{ compute: 'thread' }, { compute: 'pools', inferenceWorkers: 2 }];
/** Of logits. */
const BOUND = 1e-3;
const folder = await temporaryFolder({ after });
const path = join(folder, 'index');
const [text = '', other = ''] = EXPECTED.texts;

/** The pictures that answers are known of, each with every text as a caption. */
before(async () => {
  const manifest = join(folder, 'captions.jsonl');
  const lines = EXPECTED.images.map((image) =>
    JSON.stringify({ image: join(IMAGES, image), id: image, captions: EXPECTED.texts }),
  );
  await writeFile(manifest, lines.join('\n'));
  await using index = await openIndex(path, { ...SETTINGS, create: true, model: CLIP });
  await index.index(manifest);
  assert.deepEqual(await index.counts(), {
    images: EXPECTED.images.length,
    captions: EXPECTED.images.length * EXPECTED.texts.length,
  });
});

/** What the original says of a pair: its logit of belonging together, and the probability. */
function known(image: string, of: string) {
  const [apart, together] = expectedPair(image, of).itm_logits_original;
  return { together, match: 1 / (1 + Math.exp(apart - together)) };
}

function assertReread(
  { hits }: SearchAnswer,
  pairOf: (id: string, caption: string | null) => ReturnType<typeof known>,
) {
  for (const { id, caption, score, cosine, match } of hits) {
    const pair = pairOf(id, caption);
    assert.ok(Math.abs(score - (pair.together + cosine)) < BOUND, `${id}: ${score}`);
    assert.ok(Math.abs((match ?? -1) - pair.match) < BOUND, `${id}: ${match}`);
  }
  const scores = hits.map(({ score }) => score);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
}

describe('a collection of CLIP, re-ranked by BLIP', () => {
  for (const compute of COMPUTES) {
    test(`pictures by a text, captions by a picture, ${compute.compute}`, async () => {
      await using index = await openIndex(path, { ...SETTINGS, ...compute, reranker: BLIP });
      const rerank = EXPECTED.images.length;
      for (const one of [text, other]) {
        const found = await index.search({ text: one, rerank, k: rerank });
        assert.equal(found.hits.length, rerank);
        assertReread(found, (id) => known(id, one));
        // Cosines are those of the collection's own model.
        const plain = new Map(
          (await index.search({ text: one, k: rerank })).hits.map((hit) => [hit.id, hit.cosine]),
        );
        for (const { id, cosine } of found.hits) assert.ok(Math.abs(cosine - (plain.get(id) ?? 2)) < 1e-6);
      }
      const image = EXPECTED.images[3] ?? '';
      const captions = await index.search({ image: join(IMAGES, image), in: 'captions', rerank: 20, k: 20 });
      assert.equal(captions.hits.length, 20);
      assertReread(captions, (_, caption) => known(image, caption ?? ''));
      const stored = await index.search({ id: image, in: 'captions', rerank: 20, k: 20 });
      assert.deepEqual(
        stored.hits.map(({ id }) => id),
        captions.hits.map(({ id }) => id),
      );
      const matches = await index.match({ image: join(IMAGES, image), texts: [text, other] });
      for (const [i, { match }] of matches.entries())
        assert.ok(Math.abs(match - known(image, EXPECTED.texts[i] ?? '').match) < BOUND);
      await index.warm();
    });
  }

  test('page by page, and a cursor of another cross-encoder is refused', async () => {
    const request = { text, rerank: 6, k: 2 };
    await using index = await openIndex(path, { ...SETTINGS, compute: 'thread', reranker: BLIP });
    const whole = await index.search({ ...request, k: 6 });
    const ids: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 3; page++) {
      const found = await index.search({ ...request, cursor });
      ids.push(...found.hits.map(({ id }) => id));
      cursor = found.cursor ?? undefined;
    }
    assert.deepEqual([ids, cursor], [whole.hits.map(({ id }) => id), undefined]);
    const { cursor: first } = await index.search(request);
    const tiny = await importTiny(folder);
    await using fused = await openIndex(path, { ...SETTINGS, compute: 'thread', reranker: tiny });
    await assert.rejects(fused.search({ ...request, cursor: first ?? '' }), vlmoError('CURSOR_INVALID'));
    // VLMo's fusion re-ranks other models' collections as well.
    assert.ok((await fused.search(request)).hits.every(({ match }) => match !== null));
    assert.deepEqual([(await index.reranker())?.family, (await fused.reranker())?.family], ['blip', 'vlmo']);
  });

  test('what it made of pictures is kept in a folder, where it outlives pictures and process', async () => {
    const [rerankerCache, pictures] = [join(folder, 'kept'), join(folder, 'pictures')];
    const own = join(folder, 'own index');
    const settings = { ...SETTINGS, compute: 'thread', reranker: BLIP, rerankerCache } as const;
    await using first = await openIndex(own, { ...settings, create: true, model: CLIP });
    await cp(IMAGES, pictures, { recursive: true });
    await first.index(pictures);
    const count = (await first.counts()).images;
    const expected = await first.search({ text, rerank: count, k: count });
    const files = (await readdir(rerankerCache, { recursive: true })).filter((name) =>
      name.endsWith('.tokens'),
    );
    assert.equal(files.length, count);
    // Only what is read anew is missed: one is damaged, and all pictures are gone.
    const [damaged = ''] = files;
    const bytes = await readFile(join(rerankerCache, damaged));
    bytes[50] = (bytes[50] ?? 0) ^ 1;
    await writeFile(join(rerankerCache, damaged), bytes);
    await rm(pictures, { recursive: true });
    await using second = await openIndex(own, settings);
    const unread: string[] = [];
    const found = await second.search(
      { text, rerank: count, k: count },
      { onUnread: (id) => unread.push(id) },
    );
    assert.equal(unread.length, 1);
    const read = found.hits.filter(({ match }) => match !== null);
    assert.deepEqual(
      read,
      expected.hits.filter(({ id }) => !unread.includes(id)).map((hit, i) => ({ ...hit, rank: i + 1 })),
    );
  });

  test('a folder that is no reranker is refused before the index is opened', async () => {
    const open = (reranker: string) => openIndex(path, { ...SETTINGS, reranker });
    await assert.rejects(
      open(CLIP),
      vlmoError('MODEL_HEAD_MISSING', 'expected one that reads', 'dual encoder (clip)'),
    );
    await assert.rejects(open(IMAGES), vlmoError('MODEL_NOT_FOUND', IMAGES));
    await assert.rejects(open(join(folder, 'nowhere')), vlmoError('MODEL_NOT_FOUND', 'nowhere'));
    await assert.rejects(open(fixture('models/siglip')), vlmoError('MODEL_HEAD_MISSING', 'siglip'));
    // It makes no vectors, so nothing is indexed with it.
    await assert.rejects(
      openIndex(join(folder, 'new'), { ...SETTINGS, create: true, model: BLIP }),
      vlmoError('MODEL_HEAD_MISSING'),
    );
  });

  test('without one the collection cannot be re-ranked, and says why', async () => {
    await using index = await openIndex(path, { ...SETTINGS, compute: 'thread' });
    await assert.rejects(index.search({ text, rerank: 3 }), vlmoError('MODEL_HEAD_MISSING', 'dual encoder'));
    assert.equal(await index.reranker(), undefined);
  });
});

describe('retrieve of a collection of CLIP, re-ranked by BLIP', () => {
  interface ResultRow {
    readonly query: string;
    readonly id: string | null;
    readonly score: number | null;
    readonly cosine: number | null;
    readonly match: number | null;
    readonly error: string | null;
  }

  test('captions find pictures, and a file of queries too: score, cosine and match of each pair', async () => {
    await using index = await openIndex(path, { ...SETTINGS, reranker: BLIP });
    const queries = join(folder, 'queries.txt');
    await writeFile(queries, `${text}\n${other}\n`);
    for (const asked of ['captions', { file: queries }] as const) {
      const out = join(folder, `${typeof asked === 'string' ? asked : 'file'}.parquet`);
      const request = { queries: asked, in: 'images', k: 3, rerank: EXPECTED.images.length, out } as const;
      const summary = await index.retrieve(request);
      const count = asked === 'captions' ? EXPECTED.images.length * EXPECTED.texts.length : 2;
      assert.deepEqual([summary.answered, summary.hits, summary.failed], [count, 3 * count, 0]);
      const rows = (await readParquet(out)) as unknown as readonly ResultRow[];
      for (const { query, id, score, cosine, match } of rows) {
        const pair = known(id ?? '', query);
        assert.ok(Math.abs((score ?? 99) - (pair.together + (cosine ?? 99))) < BOUND);
        assert.ok(Math.abs((match ?? 99) - pair.match) < BOUND);
      }
      const { hits } = await index.search({ text, k: 3, rerank: EXPECTED.images.length });
      const first = rows.filter(({ query }) => query === text).slice(0, 3);
      assert.deepEqual(
        first.map(({ id }) => id),
        hits.map(({ id }) => id),
      );
    }
  });

  test('pictures find captions; a query that cannot be read with rows is listed with the reason', async () => {
    await using index = await openIndex(path, { ...SETTINGS, reranker: BLIP });
    const out = join(folder, 'pictures.parquet');
    const summary = await index.retrieve({ queries: 'images', in: 'captions', k: 2, rerank: 4, out });
    assert.deepEqual([summary.answered, summary.hits], [EXPECTED.images.length, 2 * EXPECTED.images.length]);
    const alike = {
      queries: 'images',
      in: 'images',
      k: 2,
      rerank: 4,
      out: join(folder, 'no.parquet'),
    } as const;
    await assert.rejects(index.retrieve(alike), vlmoError('USAGE_INVALID', 'a picture alone'));
    const queries = join(folder, 'mixed.jsonl');
    const image = join(IMAGES, EXPECTED.images[0] ?? '');
    await writeFile(
      queries,
      `${JSON.stringify({ id: 'p', image })}\n${JSON.stringify({ id: 't', caption: text })}\n`,
    );
    const mixed = join(folder, 'mixed.parquet');
    const request = { queries: { file: queries }, in: 'images', k: 2, rerank: 4, out: mixed } as const;
    const { answered, failed } = await index.retrieve(request);
    assert.deepEqual([answered, failed], [1, 1]);
    const rows = (await readParquet(mixed)) as unknown as readonly ResultRow[];
    assert.match(
      rows.find(({ error }) => error !== null)?.error ?? '',
      /Cannot re-rank images.*USAGE_INVALID/,
    );
  });
});
