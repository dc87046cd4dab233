import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openRowNumbers } from '#server/compat/clip/row-numbers.ts';
import type { Problem } from '#server/errors/problem.ts';
import { readKeys } from '#server/guards/keys.ts';
import type { Server } from '#server/serve.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { indexScenes, type Logged, type ServedIndex, serve } from './server-fixture.ts';

const folder = await temporaryFolder({ after });
const READ = 'read-by-clip-front';
const ADMIN = 'may-do-everything';
const logged: Logged = { lines: [] };
let served: ServedIndex;
let open: Server;
let locked: Server;

before(async () => {
  served = await indexScenes(folder);
  open = await serve(served.index, { clipCompat: true });
  const keys = await readKeys(`read:${READ},admin:${ADMIN}`, undefined);
  locked = await serve(served.index, { clipCompat: true }, keys, logged);
});

after(async () => {
  await Promise.all([open.close(), locked.close()]);
  await served.index.close();
});

/** As clip-front's `fetch` does: a text without a type of its own, which browsers call text/plain. */
async function front<T>(
  path: string,
  body?: string,
  server = open,
): Promise<{ status: number; body: T; headers: Headers }> {
  const response = await fetch(server.url + path, body === undefined ? {} : { method: 'POST', body });
  return { status: response.status, body: (await response.json()) as T, headers: response.headers };
}

interface Found {
  readonly id: number;
  readonly similarity: number;
  readonly caption?: string;
  readonly url?: string;
}

/** The bytes that clip-front 2 sends (clip-service.js), its values filled in. */
const frontBody = (text: string | null, image: string | null = null): string =>
  `{"text":${JSON.stringify(text)},"image":${JSON.stringify(image)},"image_url":null,"modality":"image","num_images":3,"indice_name":"default","num_result_ids":8,"use_mclip":false,"deduplicate":true,"use_safety_model":true}`;
/** The bytes that Python's json.dumps makes of the client's dictionary (clip_client.py). */
const pythonBody = (text: string): string =>
  `{"text": ${JSON.stringify(text)}, "image": null, "image_url": null, "embedding_input": null, "deduplicate": true, "use_safety_model": true, "use_violence_detector": true, "indice_name": "default", "use_mclip": false, "aesthetic_score": 9, "aesthetic_weight": 0.5, "modality": "image", "num_images": 4, "num_result_ids": 4}`;

describe('clip-retrieval', { timeout: 300_000 }, () => {
  test('clip-front: lists the indices, searches, looks up what it scrolls to', async () => {
    assert.deepEqual((await front('/indices-list')).body, ['default']);
    assert.deepEqual((await front('/config.json')).body, {
      defaultBackend: open.url,
      defaultIndex: 'default',
      urlColumn: 'url',
    });
    const text = served.scenes[1]?.caption ?? '';
    const { body: found, headers } = await front<Found[]>('/knn-service', frontBody(text));
    assert.equal(headers.get('warning'), '299 - "ignored: deduplicate, use_safety_model"');
    const { hits } = await served.index.search({ text, k: 8 });
    assert.deepEqual(
      found.map(({ similarity }) => similarity),
      hits.map(({ cosine }) => cosine),
    );
    assert.deepEqual(
      found.map(({ caption }) => caption),
      hits.map(({ caption }, i) => (i < 3 ? caption : undefined)),
    );
    for (const { id } of found) assert.ok(Number.isSafeInteger(id) && id >= 0);
    assert.equal((await fetch(found[0]?.url ?? '')).headers.get('content-type'), 'image/png');
    const ids = found.slice(3).map(({ id }) => id);
    const asked = `{"ids":${JSON.stringify([...ids, 999_999])},"indice_name":"default"}`;
    const { body: looked } = await front<{ id: number; metadata: { caption: string; n: number } }[]>(
      '/metadata',
      asked,
    );
    assert.deepEqual(
      looked.map(({ id }) => id),
      ids,
    );
    assert.deepEqual(
      looked.map(({ metadata }) => [metadata.caption, metadata.n]),
      hits.slice(3).map(({ caption, meta }) => [caption, meta.n]),
    );
    assert.equal((await front<object>('/metrics-summary')).status, 200);
  });

  test('the Python client: text, picture, vector; "" is unset; ids stay', async () => {
    const text = served.scenes[2]?.caption ?? '';
    const { body: first } = await front<Found[]>('/knn-service', pythonBody(text));
    const { body: again } = await front<Found[]>('/knn-service', pythonBody(text));
    assert.deepEqual(again, first);
    assert.equal(first.length, 4);
    const image = (await readFile(served.scenes[2]?.path ?? '')).toString('base64');
    const { body: byImage } = await front<Found[]>('/knn-service', frontBody('', image));
    assert.ok((byImage[0]?.similarity ?? 0) > 0.998);
    const [vector] = await served.index.embed({ texts: [text] });
    const embedding = JSON.stringify({
      ...{ text: '', image: '', image_url: '', modality: 'text', num_images: 1 },
      embedding_input: Array.from(vector ?? []),
    });
    const { body: byVector } = await front<Found[]>('/knn-service', embedding);
    assert.ok((byVector[0]?.similarity ?? 0) > 0.998);
    assert.equal(byVector[0]?.caption, text);
  });

  test('what cannot be answered is 400', async () => {
    for (const body of ['', '{}', '{"text":"a","modality":"sound"}', '{"embedding_input":[1,2]}', '{"text":'])
      assert.equal((await front('/knn-service', body)).status, 400, body);
  });

  test('a key in the path reads, no other does, and it is in no log, metric or error', async () => {
    const text = served.scenes[0]?.caption ?? '';
    const { status } = await front<Found[]>(`/clip/${READ}/knn-service`, pythonBody(text), locked);
    assert.equal(status, 200);
    const refused = await front<Problem>('/knn-service', pythonBody(text), locked);
    assert.deepEqual([refused.status, refused.body.code], [401, 'KEY_REQUIRED']);
    const wrong = await front<Problem>('/clip/some-other-key-of-mine/knn-service', pythonBody(text), locked);
    assert.equal(wrong.status, 401);
    const strong = await front<Problem>(`/clip/${ADMIN}/knn-service`, pythonBody(text), locked);
    assert.deepEqual([strong.status, strong.body.code], [403, 'SCOPE_MISSING']);
    const nowhere = await front<Problem>(`/clip/${READ}/nothing`, undefined, locked);
    const bad = await front<Problem>(`/clip/${READ}/knn-service`, '{"k"', locked);
    const metrics = await (await fetch(`${locked.url}/metrics`, { headers: { 'x-api-key': READ } })).text();
    for (const told of [
      JSON.stringify(nowhere.body),
      JSON.stringify(bad.body),
      metrics,
      logged.lines.join(''),
    ])
      for (const key of [READ, ADMIN, 'some-other-key-of-mine']) assert.ok(!told.includes(key));
    assert.equal(nowhere.headers.get('referrer-policy'), 'no-referrer');
  });

  test('without --clip-compat there is none of it', async () => {
    await using plain = await serve(served.index);
    assert.equal((await front('/indices-list', undefined, plain)).status, 404);
  });
});

describe('openRowNumbers', () => {
  test('two processes that give numbers at once agree on what each means, also after a restart', async (t) => {
    const place = await temporaryFolder(t);
    const keys = Array.from({ length: 300 }, (_, i) => String(i).padStart(22, 'k'));
    const [one, two] = [openRowNumbers(place, 'g'), openRowNumbers(place, 'g')];
    const given = await Promise.all([
      one.numbers(keys.slice(0, 200)),
      two.numbers(keys.slice(100)),
      one.numbers(keys.slice(50, 60)),
    ]);
    const later = openRowNumbers(place, 'g');
    const asked = [...keys.slice(0, 200), ...keys.slice(100), ...keys.slice(50, 60)];
    for (const reader of [one, two, later])
      for (const [i, number] of given.flat().entries()) assert.equal(await reader.key(number), asked[i]);
    assert.equal(await later.key(10_000), undefined);
    assert.ok((await readFile(join(place, 'g.keys'))).length >= 300 * 23);
  });
});
