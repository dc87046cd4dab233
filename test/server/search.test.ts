import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
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

const search = (body: unknown) => ask<SearchAnswer>(`${server.url}/v1/search`, body);
const refused = (body: unknown) => ask<Problem>(`${server.url}/v1/search`, body);

describe('POST /v1/search', { timeout: 300_000 }, () => {
  test('answers what the opened index answers', async () => {
    for (const request of [
      { text: served.scenes[0]?.caption, k: 3 },
      { text: 'a red apple', in: 'captions', minScore: 0.1 },
      { texts: [{ text: 'apple' }, { text: 'red', weight: -0.5 }], where: 'meta.n >= 2' },
      { text: served.scenes[1]?.caption, rerank: 4, k: 4 },
      { text: 'apple', in: 'captions', groupBy: 'image_id', keywords: 'red' },
    ] as const) {
      const { status, body } = await search(request);
      assert.equal(status, 200, JSON.stringify(body));
      const { hits, cursor, approximate, calibrated } = await served.index.search(request as never);
      assert.ok(hits.length > 0);
      assert.deepEqual(body, { hits, cursor, approximate, calibrated, unread: [] });
    }
  });

  test('a picture in a form, in base64 and in a data URL finds itself', async () => {
    const bytes = await readFile(served.scenes[2]?.path ?? '');
    const data = bytes.toString('base64');
    const form = new FormData();
    form.set('request', JSON.stringify({ k: 1 }));
    form.set('image', new Blob([bytes]), 'a.png');
    const uploaded = await fetch(`${server.url}/v1/search`, { method: 'POST', body: form });
    const answers = [
      (await uploaded.json()) as SearchAnswer,
      (await search({ image: { data }, k: 1 })).body,
      (await search({ image: { data: `data:image/png;base64,${data}` }, k: 1 })).body,
    ];
    for (const { hits } of answers) {
      assert.equal(served.scenes[2]?.path.endsWith(hits[0]?.id ?? 'none'), true);
      assert.ok((hits[0]?.cosine ?? 0) > 0.998);
    }
  });

  test('hits say the sides of their pictures and lead on to their items; pages follow each other', async () => {
    const { body: all } = await search({ text: 'apple', k: 8 });
    const first = await search({ text: 'apple', k: 5 });
    const second = await search({ text: 'apple', k: 5, cursor: first.body.cursor });
    assert.deepEqual([...first.body.hits, ...second.body.hits], all.hits);
    assert.equal(second.body.cursor, null);
    for (const { width, height, key, imageKey } of all.hits) {
      assert.ok(width !== null && width > 0 && height !== null && height > 0);
      assert.equal(imageKey, key);
    }
    const { body } = await search({ text: 'apple', in: 'captions', k: 1 });
    const { body: item } = await ask<{ captions: { key: string }[] }>(
      `${server.url}/v1/items/${body.hits[0]?.imageKey}`,
    );
    assert.deepEqual(
      item.captions.map(({ key }) => key),
      [body.hits[0]?.key],
    );
  });

  test('hybrid: the words of the text are keywords', async () => {
    const { body } = await search({ text: 'red apple', hybrid: true });
    const { hits } = await served.index.search({ text: 'red apple', keywords: 'red apple' });
    assert.deepEqual(body.hits, hits);
  });

  test('refuses with one body for both worlds', async () => {
    const { status, body, headers } = await refused({ text: 'x', k: 0 });
    assert.equal(status, 400);
    assert.equal(headers.get('content-type'), 'application/problem+json');
    assert.deepEqual([body.code, body.field, body.received], ['REQUEST_INVALID', 'k', '0']);
    assert.equal(body.error.param, 'k');
    assert.equal(body.error.type, 'invalid_request_error');
    assert.equal(body.error.message, body.detail);
    assert.match(body.instance, new RegExp(headers.get('x-request-id') ?? 'none'));
  });

  for (const [what, body, status, code] of [
    ['no query', {}, 400, 'REQUEST_INVALID'],
    ['a path for a picture', { image: '/etc/passwd' }, 400, 'REQUEST_INVALID'],
    ['an unknown field', { text: 'x', kk: 1 }, 400, 'REQUEST_INVALID'],
    ['k beyond its limit', { text: 'x', k: 10_001 }, 400, 'REQUEST_INVALID'],
    ['a filter nobody understands', { text: 'x', where: 'width >' }, 400, 'FILTER_INVALID'],
    [
      'a filter of 33 levels',
      { text: 'x', where: `${'('.repeat(33)}width > 1${')'.repeat(33)}` },
      400,
      'FILTER_INVALID',
    ],
    ['a forged cursor', { text: 'x', cursor: 'AAAA' }, 400, 'CURSOR_INVALID'],
    ['a collection that is not there', { text: 'x', collection: 'none' }, 404, 'COLLECTION_NOT_FOUND'],
    ['a key that is not there', { key: 'none' }, 404, 'SEARCH_ITEM_NOT_FOUND'],
    ['bytes that are no picture', { image: { data: 'AAAA' } }, 400, 'IMAGE_INVALID'],
    ['no base64', { image: { data: '%%' } }, 400, 'REQUEST_INVALID'],
    ['parts that cancel out', { texts: [{ text: 'a' }, { text: 'a', weight: -1 }] }, 400, 'QUERY_INVALID'],
    ['re-ranking without a subject', { text: 'a', in: 'captions', rerank: 2 }, 400, 'USAGE_INVALID'],
  ] as const)
    test(`${what}: ${status} ${code}`, async () => {
      const { status: received, body: problem } = await refused(body);
      assert.deepEqual([received, problem.code], [status, code]);
      assert.equal(problem.error.code, code);
    });

  test('bodies that are none: by their type, size, depth and form', async () => {
    const post = async (body: RequestInit['body'], type: string) => {
      const response = await fetch(`${server.url}/v1/search`, {
        method: 'POST',
        body: body ?? null,
        headers: { 'content-type': type },
      });
      return [response.status, ((await response.json()) as Problem).code];
    };
    assert.deepEqual(await post('{"text":"x"}', 'text/plain'), [415, 'BODY_UNSUPPORTED']);
    assert.deepEqual(await post('{"text":', 'application/json'), [400, 'BODY_INVALID']);
    assert.deepEqual(await post('{"__proto__":{}}', 'application/json'), [400, 'BODY_INVALID']);
    assert.deepEqual(await post('['.repeat(100_000), 'application/json'), [400, 'BODY_INVALID']);
    assert.deepEqual(await post('x'.repeat(40_000_000), 'application/json'), [413, 'BODY_TOO_LARGE']);
    assert.deepEqual(await post('--a\r\nnone', 'multipart/form-data; boundary=a'), [400, 'BODY_INVALID']);
    const form = new FormData();
    form.set('other', new Blob(['x']));
    const wrong = await fetch(`${server.url}/v1/search`, { method: 'POST', body: form });
    assert.equal(wrong.status, 400);
  });
});

describe('GET /v1/items', () => {
  test('an item by its key and by its id; a failed one says why', async () => {
    const id = served.scenes[0]?.path.split('/').at(-1) ?? '';
    const byId = await ask(`${server.url}/v1/items?id=${id}&source=scenes`);
    assert.equal(byId.status, 200, JSON.stringify(byId.body));
    const byKey = await ask(`${server.url}/v1/items/${byId.body.key}`);
    assert.deepEqual(byKey.body, byId.body);
    const { kind, captions, source, meta } = byKey.body as Record<string, unknown>;
    assert.deepEqual([kind, source, meta], ['image', 'scenes', { n: 0 }]);
    assert.equal((captions as { caption: string }[])[0]?.caption, served.scenes[0]?.caption);
    const failed = await ask(`${server.url}/v1/items?id=broken.png`);
    assert.deepEqual([failed.body.kind, failed.body.code], ['failed', 'IMAGE_INVALID']);
    assert.equal((await ask(`${server.url}/v1/items/none`)).status, 404);
    assert.equal((await ask(`${server.url}/v1/items?source=scenes`)).status, 400);
  });
});
