import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { SearchAnswer } from '#search/request.ts';
import type { Problem } from '#server/errors/problem.ts';
import type { Server } from '#server/serve.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { ask, indexScenes, type ServedIndex, serve } from './server-fixture.ts';

const folder = await temporaryFolder({ after });
let served: ServedIndex;
let server: Server;

before(async () => {
  served = await indexScenes(folder);
  server = await serve(served.index);
});

after(async () => {
  await server.close();
  await served.index.close();
});

interface Generation {
  readonly name: string;
  readonly serves: boolean;
}

const generations = async (): Promise<readonly Generation[]> =>
  (await ask<{ generations: Generation[] }>(`${server.url}/v1/generations`)).body.generations;
const post = (path: string, body?: unknown) =>
  ask<Problem & Generation>(`${server.url}${path}`, body, { method: 'POST' });
const remove = (path: string, body?: unknown) =>
  ask<Record<string, unknown>>(`${server.url}${path}`, body, { method: 'DELETE' });

describe('generations', { timeout: 300_000 }, () => {
  test('/v1/collections and /v1/models say what there is and what it can', async () => {
    const { body } = await ask<{ collections: object[] }>(`${server.url}/v1/collections`);
    const [{ name = '' } = {}] = await generations();
    const model = 'demo';
    assert.deepEqual(body.collections, [
      { name: 'default', images: 8, captions: 8, generation: name, model },
    ]);
    const { body: models } = await ask<{ data: Record<string, unknown>[] }>(`${server.url}/v1/models`);
    const { id, serves, embeds, matches, dimensions, reason } = models.data[0] ?? {};
    assert.deepEqual([id, serves, embeds, matches, reason], [name, true, true, true, null]);
    assert.equal(dimensions, (await served.index.serving()).dimensions);
  });

  test('another model is built while the old one serves, and the switch loses no request', async () => {
    const [before] = await generations();
    let isBuilding = true;
    const statuses: number[] = [];
    const ranks: string[] = [];
    const load = async (): Promise<void> => {
      while (isBuilding || statuses.length < 20) {
        const { status, body } = await ask<SearchAnswer>(`${server.url}/v1/search`, {
          text: served.scenes[statuses.length % 8]?.caption,
          k: 8,
        });
        statuses.push(status);
        ranks.push(String(body.hits.length));
      }
    };
    const loads = [load(), load(), load(), load()];
    await served.index.index(join(folder, 'pictures'), { sourceName: 'scenes', preprocess: 'reference' });
    const all = await generations();
    assert.deepEqual(all.map(({ name }) => name).includes(before?.name ?? ''), true);
    assert.deepEqual(
      all.filter(({ serves }) => serves).map(({ name }) => name === before?.name),
      [false],
    );
    for (const { name } of [...all, ...all]) {
      const { status, body } = await post(`/v1/generations/${name}/activate`);
      assert.deepEqual([status, body.serves], [200, true]);
    }
    isBuilding = false;
    await Promise.all(loads);
    assert.ok(
      statuses.every((status) => status === 200),
      String(new Set(statuses)),
    );
    assert.deepEqual([...new Set(ranks)], ['8']);
  });

  test('POST /v1/compare: each hit with its rank in the other generation', async () => {
    const names = (await generations()).map(({ name }) => name);
    const search = { text: served.scenes[0]?.caption, k: 4 };
    const { status, body } = await ask<{
      generations: { generation: string; hits: { key: string; rank: number; otherRank: number | null }[] }[];
      shared: number;
    }>(`${server.url}/v1/compare`, { generations: names, search });
    assert.equal(status, 200);
    const [one, two] = body.generations;
    assert.deepEqual([one?.generation, two?.generation], names);
    for (const [here, there] of [
      [one, two],
      [two, one],
    ])
      for (const { key, otherRank } of here?.hits ?? [])
        assert.equal(otherRank, there?.hits.find((hit) => hit.key === key)?.rank ?? null);
    assert.equal(body.shared, one?.hits.filter(({ otherRank }) => otherRank !== null).length);
    const wrong = await ask<Problem>(`${server.url}/v1/compare`, { generations: ['none', names[0]], search });
    assert.deepEqual([wrong.status, wrong.body.code], [404, 'GENERATION_NOT_FOUND']);
  });

  test('a generation that serves is not deleted; another one is, and answers go on', async () => {
    const all = await generations();
    const serving = all.find(({ serves }) => serves)?.name ?? '';
    const other = all.find(({ serves }) => !serves)?.name ?? '';
    const refused = await remove(`/v1/generations/${serving}`);
    assert.deepEqual([refused.status, refused.body.code], [409, 'GENERATION_BUSY']);
    let gone = await remove(`/v1/generations/${other}`);
    // What was answered by it last may not have been given back yet.
    for (let tries = 0; gone.status === 409 && tries < 50; tries++) {
      assert.match(String(gone.body.detail), /a request is being answered by it/);
      await new Promise((resolve) => setTimeout(resolve, 100));
      gone = await remove(`/v1/generations/${other}`);
    }
    assert.deepEqual([gone.status, gone.body.serves], [200, false]);
    assert.deepEqual(
      (await generations()).map(({ name }) => name),
      [serving],
    );
    assert.equal((await remove(`/v1/generations/${other}`)).status, 404);
    assert.equal((await ask(`${server.url}/v1/search`, { text: 'apple' })).status, 200);
  });
});

describe('more and less like what is stored', () => {
  test('keys count by their weights, alone and beside a text', async () => {
    const { hits } = await served.index.search({ text: served.scenes[0]?.caption ?? '', k: 8 });
    const key = hits[2]?.key ?? '';
    const alone = await ask<SearchAnswer>(`${server.url}/v1/search`, { keys: [{ key }], k: 8 });
    assert.deepEqual(alone.body.hits, (await served.index.search({ key, k: 8 })).hits);
    const text = served.scenes[0]?.caption ?? '';
    const less = await ask<SearchAnswer>(`${server.url}/v1/search`, {
      text,
      keys: [{ key, weight: -0.9 }],
      k: 8,
    });
    const rank = (answer: SearchAnswer): number => answer.hits.find((hit) => hit.key === key)?.rank ?? 99;
    assert.ok(rank(less.body) > 3, String(rank(less.body)));
    const none = await ask<Problem>(`${server.url}/v1/search`, { keys: [{ key: 'none' }] });
    assert.deepEqual([none.status, none.body.code], [404, 'SEARCH_ITEM_NOT_FOUND']);
  });
});

describe('DELETE /v1/items', () => {
  test('by a filter only as many as were expected; by keys with the captions of their pictures', async () => {
    const counted = await remove('/v1/items', { where: 'meta.n >= 6', dryRun: true });
    assert.deepEqual([counted.body.images, counted.body.captionsOfImages], [2, 2]);
    const refused = await remove('/v1/items', { where: 'meta.n >= 6', max: 3 });
    assert.deepEqual([refused.status, refused.body.code], [409, 'REMOVAL_UNCONFIRMED']);
    assert.equal((await remove('/v1/items', { where: 'meta.n >= 6' })).status, 400);
    assert.deepEqual(await served.index.counts(), { images: 8, captions: 8 });
    const gone = await remove('/v1/items', { where: 'meta.n >= 6', max: 4 });
    assert.deepEqual([gone.status, gone.body.images], [200, 2]);
    const { hits } = await served.index.search({ text: 'a', k: 2 });
    const byKeys = await remove('/v1/items', { keys: [...hits.map(({ key }) => key), 'none'] });
    assert.deepEqual([byKeys.body.images, byKeys.body.captionsOfImages], [2, 2]);
    assert.deepEqual(await served.index.counts(), { images: 4, captions: 4 });
  });
});
