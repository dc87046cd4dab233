import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { indexChunk } from '#pipeline/index-chunk.ts';
import { parseQueryJob, type Query } from '#queue/job.ts';
import { answerQuery } from '#service/answer-query.ts';
import { LoadedGenerations } from '#service/loaded-generations.ts';
import type { Item } from '#sources/item.ts';
import type { GenerationRecord, Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { caption, engineSetup, openModelGeneration } from '../engine/engine-fixture.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName } from '../pipeline/pictures.ts';

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const pictures = join(folder, 'pictures');
const ITEMS: readonly Item[] = [
  ...[0, 1, 2].map((n): Item => ({ kind: 'image', ...picture(n), meta: { n } })),
  ...['red apple', 'two dogs', 'a boat'].map((text, n) => caption(`t${n}`, text)),
];
let store: Store;
let generation: GenerationRecord;
let generations: LoadedGenerations;

function picture(n: number) {
  return { id: pictureName(n), uri: join(pictures, pictureName(n)) };
}

before(async () => {
  await drawPictures(pictures, 0, 3);
  store = await openStore(join(folder, 'index'), { create: true });
  generation = await openModelGeneration(store, MODEL);
  generations = new LoadedGenerations(store, engineSetup(store.uri));
  const tally = await generations.use(generation, ({ indexer, plan }) =>
    indexChunk(indexer(), plan, { run: 'r', items: ITEMS, runNumber: null, retryFailed: false }),
  );
  assert.equal(tally.stored, ITEMS.length);
});

after(async () => {
  await generations[Symbol.asyncDispose]();
  await store.close();
});

function ask(query: Query) {
  return answerQuery(store, generations, parseQueryJob(query));
}

async function hits(query: Query): Promise<readonly { readonly id: string; readonly score: number }[]> {
  const answer = await ask(query);
  assert.ok('hits' in answer);
  return answer.hits;
}

describe('answerQuery', { timeout: 300_000 }, () => {
  test('search by text, picture and id finds what is stored of the same content first', async () => {
    const [byText] = await hits({ kind: 'search', text: 'two dogs', in: 'captions', k: 1 });
    const [byImage] = await hits({ kind: 'search', image: picture(1).uri, k: 1 });
    const [byId] = await hits({ kind: 'search', id: pictureName(2), k: 1 });
    assert.deepEqual([byText?.id, byImage?.id, byId?.id], ['t1', pictureName(1), pictureName(2)]);
    for (const hit of [byText, byImage, byId]) assert.ok(Math.abs((hit?.score ?? 0) - 1) < 2e-3);
  });

  test('search: k, where and minScore hold', async () => {
    const found = await hits({ kind: 'search', text: 'red', where: 'meta.n >= 1', k: 10 });
    assert.deepEqual(found.map(({ id }) => id).sort(), [1, 2].map(pictureName));
    assert.deepEqual(await hits({ kind: 'search', text: 'red', minScore: 1.5 }), []);
  });

  test('embed: the vectors of the model, a row a text', async () => {
    const texts = ['red apple', 'a boat'];
    const answer = await ask({ kind: 'embed', texts });
    assert.ok('embeddings' in answer);
    await using vlmo = await loadVlmo(MODEL);
    const { data, dims } = await vlmo.embedTexts(texts);
    assert.deepEqual([answer.embeddings.length, answer.embeddings[0]?.length], dims);
    for (const [i, value] of answer.embeddings.flat().entries())
      assert.ok(Math.abs(value - (data[i] ?? Number.NaN)) < 1e-5);
  });

  test('throws by its code what cannot be answered', async () => {
    const cases: readonly (readonly [Query, string])[] = [
      [{ kind: 'search', text: 'x', collection: 'none' }, 'COLLECTION_NOT_FOUND'],
      [{ kind: 'search', text: 'x', where: 'width >' }, 'FILTER_INVALID'],
      [{ kind: 'search', id: 'nobody' }, 'SEARCH_ITEM_NOT_FOUND'],
      [{ kind: 'search', image: join(folder, 'none.png') }, 'ITEM_NOT_FOUND'],
      [{ kind: 'embed', image: join(MODEL, 'config.json') }, 'IMAGE_INVALID'],
    ];
    for (const [query, code] of cases) {
      await assert.rejects(ask(query), (error) => error instanceof VlmoError && error.code === code, code);
    }
  });
});

describe('LoadedGenerations', { timeout: 300_000 }, () => {
  test('a generation is loaded once, also by those who ask at once', async () => {
    await using fresh = new LoadedGenerations(store, engineSetup(store.uri));
    const loaded = await Promise.all([1, 2, 3].map(() => fresh.use(generation, async (one) => one)));
    assert.equal(new Set(loaded).size, 1);
    assert.equal(await fresh.use(generation, async (one) => one), loaded[0]);
  });

  test('two stay loaded; the one longest unused makes room for a third, one in use never', async () => {
    await using fresh = new LoadedGenerations(store, engineSetup(store.uri));
    const records = await Promise.all(
      ['second', 'third'].map((collection) => openModelGeneration(store, MODEL, collection)),
    );
    const [second, third] = records as [GenerationRecord, GenerationRecord];
    const first = await fresh.use(generation, async (one) => one);
    await fresh.use(second, async (inUse) => {
      await fresh.use(generation, async (one) => assert.equal(one, first, 'still loaded'));
      await fresh.use(third, async () => undefined);
      await fresh.use(second, async (again) => assert.equal(again, inUse, 'in use, so it stays'));
      await inUse.pools.inference.run({ kind: 'texts', texts: ['it works'] });
    });
    await fresh.use(generation, async (again) => assert.notEqual(again, first, 'it had made room'));
  });

  test('what could not be loaded is loaded the next time', async () => {
    await using fresh = new LoadedGenerations(store, engineSetup(store.uri));
    const lost = { ...generation, modelPath: join(folder, 'gone') };
    await assert.rejects(
      fresh.use(lost, async () => undefined),
      /Cannot/,
    );
    assert.equal(await fresh.use(generation, async ({ tables }) => tables.record.name), generation.name);
  });
});
