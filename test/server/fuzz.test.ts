// Runs alone: it measures the memory and the handles of its process.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Server } from '#server/serve.ts';
import { seededRandom, temporaryFolder } from '../fixtures/files.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { indexScenes, type ServedIndex, serve } from './server-fixture.ts';

const REQUESTS = 10_000;
const AT_ONCE = 16;
const folder = await temporaryFolder({ after });
const random = seededRandom(13);
const PICTURE = await drawPicture(1);
let served: ServedIndex;
let server: Server;

before(async () => {
  served = await indexScenes(folder, 4);
  server = await serve(served.index, { clipCompat: true, uploadQuota: 1_000_000 });
});

after(async () => {
  await server.close();
  await served.index.close();
});

function pick<T>(of: readonly T[]): T {
  return of[Math.floor(random() * of.length)] as T;
}

const PATHS = [
  ...[
    '/v1/search',
    '/v1/compare',
    '/v1/embeddings',
    '/v2/embed',
    '/rerank',
    '/v1/rerank',
    '/v1/jobs',
    '/login',
  ],
  ...[
    '/v1/items',
    '/v1/items/x',
    '/v1/items/x/image',
    '/v1/items/x/thumbnail?size=9',
    '/v1/generations/x',
    '/',
  ],
  ...['/v1/generations/x/activate', '/v1/jobs/x/events', '/v1/jobs/x/cancel', '/v1/jobs/x/retry', '/metrics'],
  ...[
    '/knn-service',
    '/metadata',
    '/clip/x/knn-service',
    '/indices-list',
    '/openapi.json',
    '/docs/',
    '/health',
  ],
  ...[
    '/v1/items/%00',
    '/v1/items/%ff',
    '/v1/%2e%2e/%2e%2e/etc/passwd',
    '/docs/static/..%2f..%2fpackage.json',
  ],
  ...[
    '/v1/items?id=%00&source=a',
    '/v1/items?id=a&id=b',
    `/v1/items/${'k'.repeat(600)}`,
    '/v1/jobs/x/failures?limit=-1',
  ],
] as const;
const METHODS = ['GET', 'POST', 'POST', 'POST', 'DELETE', 'PUT', 'OPTIONS', 'HEAD', 'PATCH'] as const;
const FIELDS = [
  ...[
    'text',
    'texts',
    'image',
    'keys',
    'key',
    'id',
    'source',
    'k',
    'where',
    'minScore',
    'rerank',
    'cursor',
    'in',
  ],
  ...['vector', 'input', 'messages', 'model', 'documents', 'query', 'items', 'manifest', 'ids', 'collection'],
  ...[
    'groupBy',
    'keywords',
    'generations',
    'search',
    'top_n',
    'num_images',
    'modality',
    'max',
    'constructor',
  ],
] as const;
const VALUES: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 1e308, '', 'a', 'red apple', 'x'.repeat(5000), [], {}, [[]], [null], ['a', 1]],
  ...[
    '\u0000',
    '\ud800',
    '𝕏',
    "' OR 1=1 --",
    '../../etc/passwd',
    'file:///etc/passwd',
    '{{7*7}}',
    '<script>',
  ],
  ...[
    'width > 0',
    'width >',
    `${'('.repeat(40)}`,
    'NOT '.repeat(500),
    'meta.a = 1 OR '.repeat(300),
    "id IN ('",
  ],
  ...[{ data: 'AAAA' }, { data: PICTURE.subarray(0, 60).toString('base64') }, { url: 'http://127.0.0.1:1/' }],
  ...[
    { data: PICTURE.toString('base64') },
    { url: 'http://[::1]/' },
    { file: 'x' },
    { key: 'none', weight: 1 },
  ],
  ...[
    [{ text: 'a', weight: -1 }],
    [{ kind: 'image', image: { data: 'AAAA' } }],
    { role: 'user', content: 'a' },
  ],
  ...[
    [{ text: 'a' }, { key: 'none' }],
    { text: 'a' },
    ['a', 'b'],
    [1, 2, 3],
    'images',
    'captions',
    'default',
    3,
  ],
];

function object(depth = 0): unknown {
  const fields = Array.from({ length: Math.floor(random() * 4) }, () => {
    const value = depth < 3 && random() < 0.1 ? object(depth + 1) : pick(VALUES);
    return [pick(FIELDS), value] as const;
  });
  return Object.fromEntries(fields);
}

function form(): { body: Buffer; type: string } {
  const [boundary, other] = [pick(['b', 'x y', '-'.repeat(80)]), pick(['b', 'c'])];
  const name = pick(['image', 'request', '', 'a"b', '\r\nX: y']);
  const bytes = pick([PICTURE, PICTURE.subarray(0, 50), Buffer.from('{"k":1}'), Buffer.alloc(3000, 0xff)]);
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${pick(['a.png', '../a', ''])}"\r\n\r\n`;
  const end = pick([`\r\n--${boundary}--\r\n`, `\r\n--${other}--`, '', '\r\n']);
  return {
    body: Buffer.concat([Buffer.from(head), bytes, Buffer.from(end)]),
    type: `multipart/form-data; boundary=${pick([boundary, other, ''])}`,
  };
}

function content(): { body: Buffer | string; type: string } {
  const kind = random();
  if (kind < 0.6) return { body: JSON.stringify(object()), type: 'application/json' };
  if (kind < 0.75) return form();
  const text = JSON.stringify(object());
  const body = pick([
    text.slice(0, text.length / 2),
    `${'['.repeat(5000)}`,
    `{"a":`.repeat(2000),
    '{"__proto__":{"text":"a"}}',
    Buffer.from([0xff, 0xfe, 0x00]),
    '',
    PICTURE,
  ]);
  return {
    body,
    type: pick(['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'a/b', '']),
  };
}

/** The status of an answer; undefined where the server ended the connection. */
function send(): Promise<{ status: number | undefined; what: string }> {
  const { port } = new URL(server.url);
  const [path, method] = [pick(PATHS), pick(METHODS)];
  const { body, type } = content();
  const headers: Record<string, string> = {
    ...(type !== '' && { 'content-type': type }),
    ...(random() < 0.1 && {
      [pick(['range', 'if-none-match', 'last-event-id', 'idempotency-key'])]: pick(['x', '"', '0-']),
    }),
    ...(random() < 0.05 && { 'content-encoding': 'gzip' }),
    ...(random() < 0.05 && {
      authorization: pick(['Bearer', 'Bearer x', 'Basic eDp5']),
      cookie: 'vlmo_session=a.b.c',
    }),
  };
  const what = `${method} ${path} ${type} ${body.toString('latin1').slice(0, 200)}`;
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      response.resume();
      response.on('close', () => resolve({ status: response.statusCode, what }));
    });
    sent.on('error', () => resolve({ status: undefined, what }));
    if (random() < 0.03) {
      // Somebody who goes away in the middle.
      sent.write(body);
      setTimeout(() => sent.destroy(), 5);
    } else sent.end(method === 'GET' || method === 'HEAD' ? undefined : body);
  });
}

/** Bytes that are no HTTP. */
function sendRaw(): Promise<string> {
  const { port } = new URL(server.url);
  const text = pick([
    'GET / HTTP/9.9\r\n\r\n',
    'NONSENSE\r\n\r\n',
    `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    'POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /v1/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'GET /health HTTP/1.1\r\n\r\n',
    '\u0000\u0001\u0002',
  ]);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host: '127.0.0.1', port: Number(port) }, () => socket.end(text, 'latin1'));
    socket.on('data', (piece) => {
      answer += piece.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}

const statuses = new Map<number | undefined, number>();

async function run(count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      if (random() < 0.02) assert.doesNotMatch(await sendRaw(), /^HTTP\/1\.1 5/);
      else {
        const { status, what } = await send();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        // 507 says that uploads are full, 505 that there is no such HTTP.
        if (status !== undefined && status >= 500) assert.equal(status, 507, `${status}: ${what}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Files and sockets of this process that are open. */
function handles(): number {
  return readdirSync('/proc/self/fd').length;
}

describe('10,000 malformed requests', { timeout: 900_000 }, () => {
  test('no 5xx, no crash, no leak of memory or handles', async () => {
    await run(REQUESTS / 5);
    globalThis.gc?.();
    const before = { memory: process.memoryUsage().rss, handles: handles() };
    await run((REQUESTS * 4) / 5);
    const health = await fetch(`${server.url}/health`, { headers: { connection: 'close' } });
    assert.equal(health.status, 200);
    await health.text();
    await new Promise((resolve) => setTimeout(resolve, 500));
    globalThis.gc?.();
    const grown = (process.memoryUsage().rss - before.memory) / 2 ** 20;
    assert.ok(grown < 200, `${grown.toFixed(0)} MiB more after ${(REQUESTS * 4) / 5} requests`);
    assert.ok(handles() <= before.handles + 16, `${handles()} handles after ${before.handles}`);
    // It met more than one door.
    for (const status of [200, 400, 404, 415]) assert.ok((statuses.get(status) ?? 0) > 20, String(status));
    assert.ok((statuses.get(undefined) ?? 0) < REQUESTS / 10);
    const { hits } = await served.index.search({ text: 'apple', k: 1 });
    assert.equal(hits.length, 1);
  });
});
