import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { fingerprint } from '#model/fingerprint.ts';
import { type ModelFolder, openModelFolder } from '#model/vlmo/folder.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { openLocalQuery } from '#search/local-query.ts';
import { embedQuery, type Query } from '#search/query.ts';
import { exactRanking } from '#search/ranking/exact-ranking.ts';
import type { Ranked } from '#search/ranking/ranking.ts';
import { search } from '#search/search.ts';
import type { GenerationTables, ItemKind } from '#store/contract.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importFixture, vlmoError } from '../model/vlmo/model-fixture.ts';
import { captionRow, generationSpec, imageRow, temporaryStore } from '../store/lance/store-fixture.ts';
import { DEMO_MODEL, type DrawnScene, drawFirstScenes, readPixels } from './demo-scenes.ts';

const LIMITS = { maxPixels: 1e8, maxImageBytes: 1e8 };
const COUNT = 12;
const SCENES = await drawFirstScenes(await temporaryFolder({ after }), COUNT);
const VECTORS = await embedScenes(SCENES);

async function embedScenes(
  scenes: readonly DrawnScene[],
): Promise<Record<'images' | 'captions', Float32Array>> {
  await using vlmo = await loadVlmo(DEMO_MODEL);
  const images: number[] = [];
  for (const { path } of scenes) images.push(...(await vlmo.embedImages(await readPixels(vlmo, path))).data);
  const captions = (await vlmo.embedTexts(scenes.map(({ caption }) => caption))).data;
  return { images: Float32Array.from(images), captions };
}

/** An index of the scenes; a model of other weights may be said to have made it. */
async function indexScenes(
  t: Parameters<typeof temporaryStore>[0],
  made?: ModelFolder,
): Promise<GenerationTables> {
  const model = made ?? (await openModelFolder(DEMO_MODEL));
  const store = await temporaryStore(t);
  const tables = await store.openGeneration(
    generationSpec({
      fingerprint: await fingerprint(model, 'reference'),
      modelName: model.name,
      modelPath: model.path,
      preprocess: 'reference',
      dimensions: model.config.hidden_size,
    }),
  );
  if (made) return tables;
  const rows = SCENES.map(({ path }, i) => imageRow(`s${i}`, { uri: path }));
  await tables.images.upsert({ rows, vectors: VECTORS.images });
  const captions = SCENES.map(({ caption }, i) => captionRow(`s${i}#0`, { imageId: `s${i}`, caption }));
  await tables.captions.upsert({ rows: captions, vectors: VECTORS.captions });
  return tables;
}

async function rerankAll(
  tables: GenerationTables,
  query: Query,
  target: ItemKind,
): Promise<readonly Ranked[]> {
  await using local = await openLocalQuery(tables, query, target, LIMITS);
  const table = target === 'image' ? tables.images : tables.captions;
  return await local.rerank(exactRanking(table, target, local.vector, undefined), COUNT)(COUNT);
}

/** The matches of the found rows, pair by pair. */
async function assertMatches(
  found: readonly Ranked[],
  pair: (i: number) => readonly [string, string],
): Promise<void> {
  await using vlmo = await loadVlmo(DEMO_MODEL, { graphs: ['fusion'] });
  assert.equal(found.length, COUNT);
  for (const { id, match } of found) {
    const [path, text] = pair(Number(/\d+/.exec(id)?.[0]));
    const { probabilities } = await vlmo.match(await readPixels(vlmo, path), [text]);
    assert.ok(Math.abs((match ?? Number.NaN) - (probabilities[0] ?? 0)) < 1e-4, id);
  }
}

describe('openLocalQuery', () => {
  const [{ caption: text, path } = assert.fail()] = SCENES;

  test('a text finds pictures, a picture finds captions, by their matches; vectors are those of embedQuery', async (t) => {
    const tables = await indexScenes(t);
    const picture = { kind: 'image', bytes: await readFile(path) } as const;
    await assertMatches(await rerankAll(tables, { kind: 'text', text }, 'image'), (i) => [
      SCENES[i]?.path ?? '',
      text,
    ]);
    await assertMatches(await rerankAll(tables, picture, 'caption'), (i) => [path, SCENES[i]?.caption ?? '']);
    for (const [query, target] of [
      [{ kind: 'text', text }, 'image'],
      [picture, 'caption'],
    ] as const) {
      await using local = await openLocalQuery(tables, query, target, LIMITS);
      assert.deepEqual(local.vector, await embedQuery(tables, query, LIMITS));
    }
  });

  test('what is stored under an id is read with rows of the other kind', async (t) => {
    const tables = await indexScenes(t);
    const byPicture = await rerankAll(tables, { kind: 'id', id: 's0' }, 'caption');
    await assertMatches(byPicture, (i) => [path, SCENES[i]?.caption ?? '']);
    const byCaption = await rerankAll(tables, { kind: 'id', id: 's0#0' }, 'image');
    await assertMatches(byCaption, (i) => [SCENES[i]?.path ?? '', text]);
  });

  test('of a picture and a text, pictures are read with the text; its vector is of both', async (t) => {
    const tables = await indexScenes(t);
    const image = { bytes: await readFile(SCENES[5]?.path ?? ''), weight: 1 };
    const query = { kind: 'composed', texts: [{ text, weight: 1 }], image } as const;
    await assertMatches(await rerankAll(tables, query, 'image'), (i) => [SCENES[i]?.path ?? '', text]);
  });

  test('search takes its rerank: pages of the first N, in its order', async (t) => {
    const tables = await indexScenes(t);
    const whole = await rerankAll(tables, { kind: 'text', text }, 'image');
    await using local = await openLocalQuery(tables, { kind: 'text', text }, 'image', LIMITS);
    const request = { in: 'images', k: 5, rerank: 8, minMatch: 0 } as const;
    const first = await search(tables, local.vector, request, { rerank: local.rerank });
    const second = await search(
      tables,
      local.vector,
      { ...request, cursor: first.cursor ?? '' },
      { rerank: local.rerank },
    );
    const best = new Set(
      (await exactRanking(tables.images, 'image', local.vector, undefined)(8)).map(({ id }) => id),
    );
    const expected = whole.filter(({ id }) => best.has(id));
    const hits = [...first.hits, ...second.hits];
    assert.deepEqual(
      hits.map(({ id }) => id),
      expected.map(({ id }) => id),
    );
    assert.deepEqual([first.hits.length, second.hits.length, second.cursor], [5, 3, null]);
    assert.ok(hits.every(({ match, score, cosine }) => match !== null && score !== cosine));
  });

  test('a picture that cannot be read any more is warned of', async (t) => {
    const tables = await indexScenes(t);
    const [gone] = await drawFirstScenes(await temporaryFolder(t), 1);
    await rm(gone?.path ?? '');
    await tables.images.upsert({
      rows: [imageRow('s0', { uri: gone?.path ?? '' })],
      vectors: VECTORS.images.slice(0, 256),
    });
    const warned: string[] = [];
    const warn = ({ id }: Ranked, { code }: { readonly code: string }) => warned.push(`${id} ${code}`);
    await using local = await openLocalQuery(tables, { kind: 'text', text }, 'image', { ...LIMITS, warn });
    const found = await local.rerank(
      exactRanking(tables.images, 'image', local.vector, undefined),
      COUNT,
    )(COUNT);
    assert.deepEqual([found.at(-1)?.id, found.at(-1)?.match, warned], ['s0', null, ['s0 ITEM_NOT_FOUND']]);
  });

  test('a picture with pictures, or a text with captions, is refused before the picture is looked at', async (t) => {
    const tables = await indexScenes(t);
    const bytes = new TextEncoder().encode('no picture');
    const open = (query: Query, target: ItemKind) => openLocalQuery(tables, query, target, LIMITS);
    await assert.rejects(
      open({ kind: 'image', bytes }, 'image'),
      vlmoError('USAGE_INVALID', 'a picture alone'),
    );
    await assert.rejects(open({ kind: 'text', text }, 'caption'), vlmoError('USAGE_INVALID', 'text alone'));
    await assert.rejects(
      open({ kind: 'id', id: 's0' }, 'image'),
      vlmoError('USAGE_INVALID', 'a picture alone'),
    );
  });

  test('a checkpoint without an ITM head is refused before it is loaded or the picture is looked at', async (t) => {
    const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_abs.pt', { heads: 4 });
    const tables = await indexScenes(t, model);
    const query = { kind: 'image', bytes: new TextEncoder().encode('no picture') } as const;
    await assert.rejects(
      openLocalQuery(tables, query, 'caption', LIMITS),
      vlmoError('MODEL_HEAD_MISSING', 'itm_score', 'vlmo_base_patch16_224.pt', 'fine-tuned for retrieval'),
    );
  });
});
