import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Tokenizer } from '@huggingface/tokenizers';
import { CohereClientV2 } from 'cohere-ai';
import OpenAi6 from 'openai6';
import OpenAi7 from 'openai7';
import type { Problem } from '#server/errors/problem.ts';
import { readKeys } from '#server/guards/keys.ts';
import type { Server } from '#server/serve.ts';
import { PICTURE, startMisbehaving } from '../download/misbehaving-server.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { DEMO_MODEL } from '../search/demo-scenes.ts';
import { ask, indexScenes, type ServedIndex, serve } from './server-fixture.ts';

const folder = await temporaryFolder({ after });
const KEY = 'a-key-of-those-who-read';
const TEXTS = ['a red apple', 'two boats beside a tree'];
let served: ServedIndex;
let server: Server;
let picture: string;
let vectors: readonly Float32Array[];

before(async () => {
  served = await indexScenes(folder);
  server = await serve(served.index, {}, await readKeys(`read:${KEY}`, undefined));
  picture = `data:image/png;base64,${(await readFile(served.scenes[0]?.path ?? '')).toString('base64')}`;
  vectors = await served.index.embed({ texts: TEXTS });
});

after(async () => {
  await server.close();
  await served.index.close();
});

const headers = { authorization: `Bearer ${KEY}` };
const post = <T>(path: string, body: unknown) => ask<T>(`${server.url}${path}`, body, { headers });

interface Embeddings {
  readonly data: readonly { readonly index: number; readonly embedding: number[] | string }[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

function assertNear(received: readonly number[] | undefined, expected: Float32Array | undefined): void {
  assert.equal(received?.length, expected?.length);
  for (const [i, value] of (received ?? []).entries())
    assert.ok(Math.abs(value - (expected?.[i] ?? Number.NaN)) < 1e-6);
}

describe('clients that others wrote', { timeout: 300_000 }, () => {
  for (const [name, Client] of [
    ['openai 6, which asks for base64 by itself', OpenAi6],
    ['openai 7, which sends no encoding_format', OpenAi7],
  ] as const)
    test(name, async () => {
      const client = new Client({ apiKey: KEY, baseURL: `${server.url}/v1` });
      const { data, usage, model } = await client.embeddings.create({ model: 'demo', input: TEXTS });
      for (const [i, { embedding, index }] of data.entries()) {
        assert.equal(index, i);
        assertNear(embedding, vectors[i]);
      }
      // [CLS] and [SEP] frame each text.
      const json = await readFile(join(DEMO_MODEL, 'tokenizer.json'), 'utf8');
      const tokenizer = new Tokenizer(JSON.parse(json) as object, {});
      const counts = TEXTS.map(
        (text) => tokenizer.encode(text, { add_special_tokens: false }).ids.length + 2,
      );
      assert.equal(usage.prompt_tokens, (counts[0] ?? 0) + (counts[1] ?? 0));
      assert.match(model, /^default\./);
      await assert.rejects(client.embeddings.create({ model: 'none', input: 'a' }), (error: unknown) => {
        const { status, code, param } = error as { status: number; code: string; param: string };
        assert.deepEqual([status, code, param], [400, 'REQUEST_INVALID', 'model']);
        return true;
      });
      const models = await client.models.list();
      assert.equal(models.data[0]?.object, 'model');
      const stranger = new Client({ apiKey: 'no-key-at-all', baseURL: `${server.url}/v1`, maxRetries: 0 });
      await assert.rejects(stranger.embeddings.create({ model: 'demo', input: 'a' }), { status: 401 });
    });

  test('cohere-ai: embed and rerank', async () => {
    const client = new CohereClientV2({ token: KEY, environment: server.url });
    const answer = await client.embed({
      model: 'demo',
      texts: TEXTS,
      inputType: 'search_query',
      embeddingTypes: ['float'],
    });
    for (const [i, vector] of vectors.entries()) assertNear(answer.embeddings.float?.[i], vector);
    const [ofPicture] = await served.index.embed({ image: await readFile(served.scenes[0]?.path ?? '') });
    const images = await client.embed({
      model: 'demo',
      images: [picture],
      inputType: 'image',
      embeddingTypes: ['float'],
    });
    assertNear(images.embeddings.float?.[0], ofPicture);
    const documents = served.scenes.map(({ caption }) => caption);
    const ranked = await client.rerank({ model: 'demo', query: documents[3] ?? '', documents, topN: 3 });
    assert.equal(ranked.results.length, 3);
    assert.equal(ranked.results[0]?.index, 3);
    const scores = ranked.results.map(({ relevanceScore }) => relevanceScore);
    assert.deepEqual(
      scores,
      scores.toSorted((a, b) => b - a),
    );
  });
});

describe('POST /v1/embeddings', () => {
  test('texts and pictures as OpenAI, infinity, Jina and vLLM write them', async () => {
    const [ofPicture] = await served.index.embed({ image: await readFile(served.scenes[0]?.path ?? '') });
    const expected = [vectors[0], ofPicture];
    for (const [body, places] of [
      [{ input: TEXTS[0] }, [0]],
      [{ input: [TEXTS[0]] }, [0]],
      [{ input: TEXTS[0], modality: 'text' }, [0]],
      [{ input: [picture], modality: 'image' }, [1]],
      [{ input: [{ text: TEXTS[0] }, { image: picture }, { image: picture.split(',')[1] }] }, [0, 1, 1]],
      [{ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: picture } }] }] }, [1]],
      [{ messages: [{ role: 'user', content: TEXTS[0] }] }, [0]],
    ] as const) {
      const { status, body: answer } = await post<Embeddings>('/v1/embeddings', body);
      assert.equal(status, 200, JSON.stringify(answer).slice(0, 300));
      assert.equal(answer.data.length, places.length);
      for (const [i, place] of places.entries())
        assertNear(answer.data[i]?.embedding as number[], expected[place]);
    }
  });

  test('base64 is float32 with the least byte first', async () => {
    const { body } = await post<Embeddings>('/v1/embeddings', { input: TEXTS[0], encoding_format: 'base64' });
    const bytes = Buffer.from(String(body.data[0]?.embedding), 'base64');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    assertNear(
      Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true)),
      vectors[0],
    );
  });

  for (const [what, body, field] of [
    ['token ids', { input: [1, 2, 3] }, 'input'],
    ['lists of token ids', { input: [[1], [2, 3]] }, 'input'],
    ['other dimensions', { input: 'a', dimensions: 3 }, 'dimensions'],
    ['no input', {}, ''],
    ['an empty text', { input: '' }, 'input'],
    ['sound', { input: 'a', modality: 'audio' }, 'modality'],
  ] as const)
    test(`${what}: 400`, async () => {
      const { status, body: problem } = await post<Problem>('/v1/embeddings', body);
      assert.deepEqual([status, problem.code, problem.field], [400, 'REQUEST_INVALID', field]);
    });

  test('a picture by its URL: of this machine only where it is allowed, and not at all beyond it by default', async () => {
    await using other = await startMisbehaving();
    const url = `http://127.0.0.1:${other.port}/picture`;
    const asked = { input: [url], modality: 'image' };
    const refused = await post<Problem>('/v1/embeddings', asked);
    assert.deepEqual([refused.status, refused.body.code], [400, 'URL_REFUSED']);
    await using allowing = await serve(served.index, { fetchAllows: [`127.0.0.1:${other.port}`] });
    const { status, body } = await ask<Embeddings>(`${allowing.url}/v1/embeddings`, asked);
    assert.equal(status, 200, JSON.stringify(body));
    const [expected] = await served.index.embed({ image: new Uint8Array(PICTURE) });
    assertNear(body.data[0]?.embedding as number[], expected);
    const found = await ask<{ hits: object[] }>(`${allowing.url}/v1/search`, { image: { url }, k: 2 });
    assert.deepEqual([found.status, found.body.hits.length], [200, 2]);
    await using beyond = await serve(served.index, { host: '0.0.0.0', allowAnonymous: true });
    const far = await ask<Problem>(`${beyond.url.replace('0.0.0.0', '127.0.0.1')}/v1/embeddings`, asked);
    assert.deepEqual([far.status, far.body.code], [400, 'URL_UNSUPPORTED']);
  });
});

describe('POST /rerank', () => {
  test('texts, pictures and keys of the index, best first by the fusion encoder', async () => {
    const [first] = (await served.index.search({ id: served.scenes[0]?.path.split('/').at(-1) ?? '', k: 1 }))
      .hits;
    const query = served.scenes[0]?.caption ?? '';
    const documents = [{ image: picture }, { key: first?.key }, picture];
    const [match] = await served.index.match({ image: served.scenes[0]?.path ?? '', texts: [query] });
    for (const path of ['/rerank', '/v1/rerank', '/v2/rerank']) {
      const { status, body } = await post<{ results: { index: number; relevance_score: number }[] }>(path, {
        query,
        documents,
      });
      assert.equal(status, 200, JSON.stringify(body));
      for (const { relevance_score: score } of body.results)
        assert.ok(Math.abs(score - (match?.match ?? Number.NaN)) < 1e-4);
    }
    const texts = served.scenes.map(({ caption }) => ({ text: caption }));
    const { body } = await post<{ results: { index: number; document: object }[] }>('/rerank', {
      query: { image: picture },
      documents: texts,
      top_n: 2,
      return_documents: true,
    });
    const matches = await served.index.match({
      image: served.scenes[0]?.path ?? '',
      texts: texts.map(({ text }) => text),
    });
    const best = matches.map(({ match: value }) => value);
    assert.equal(body.results[0]?.index, best.indexOf(Math.max(...best)));
    assert.deepEqual(body.results[0]?.document, texts[body.results[0]?.index ?? 0]);
  });
});
