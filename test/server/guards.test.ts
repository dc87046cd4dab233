import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import type { Problem } from '#server/errors/problem.ts';
import { readKeys } from '#server/guards/keys.ts';
import { take } from '#server/guards/rate-limit.ts';
import { openSession, sealSession } from '#server/guards/session.ts';
import type { Server } from '#server/serve.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { ask, indexScenes, type Logged, type ServedIndex, serve } from './server-fixture.ts';

const folder = await temporaryFolder({ after });
const READ = 'reads-and-nothing-else';
const ADMIN = 'may-do-whatever-there-is';
const logged: Logged = { lines: [] };
let served: ServedIndex;
let open: Server;
let locked: Server;

before(async () => {
  served = await indexScenes(folder, 4);
  open = await serve(served.index, { corsOrigins: ['https://friend.example'] });
  const keys = await readKeys(`read:${READ},admin:${ADMIN}`, undefined);
  locked = await serve(served.index, { host: '0.0.0.0' }, keys, logged);
});

after(async () => {
  await Promise.all([open.close(), locked.close()]);
  await served.index.close();
});

/** A request with headers that fetch does not let anybody set. */
async function raw(
  path: string,
  headers: Record<string, string>,
  method = 'GET',
  body?: string,
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  const { port } = new URL(open.url);
  const sent = request({ host: '127.0.0.1', port, path, method, headers });
  sent.end(body);
  const [response] = await new Promise<[import('node:http').IncomingMessage]>((resolve, reject) => {
    sent.on('response', (got) => resolve([got]));
    sent.on('error', reject);
  });
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

const host = (): string => new URL(open.url).host;
const codeOf = (body: string): string => (JSON.parse(body) as Problem).code;

describe('a web page that somebody has open', () => {
  for (const path of [
    '/health',
    '/v1/items?id=x',
    '/metrics',
    '/openapi.json',
    '/docs',
    '/nowhere',
    '/v1/search',
  ])
    test(`${path}: refused from another origin, from another site, and under another name`, async () => {
      for (const headers of [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { origin: `http://localhost:1` },
        { 'sec-fetch-site': 'cross-site' },
      ]) {
        const { status, body } = await raw(path, { host: host(), ...headers });
        assert.deepEqual([status, codeOf(body)], [403, 'ORIGIN_REFUSED'], JSON.stringify(headers));
      }
      const rebound = await raw(path, { host: 'evil.example' });
      assert.deepEqual([rebound.status, codeOf(rebound.body)], [403, 'HOST_REFUSED']);
    });

  test('a simple POST of text/plain from another origin changes and reads nothing', async () => {
    const headers = { host: host(), origin: 'https://evil.example', 'content-type': 'text/plain' };
    const { status, body } = await raw('/v1/search', headers, 'POST', '{"text":"a"}');
    assert.deepEqual([status, codeOf(body)], [403, 'ORIGIN_REFUSED']);
  });

  test('its own origin may, a named one may and is told so, and a preflight is answered', async () => {
    assert.equal((await raw('/health', { host: host(), origin: `http://${host()}` })).status, 200);
    const friend = { host: host(), origin: 'https://friend.example', 'sec-fetch-site': 'cross-site' };
    const answered = await raw('/health', friend);
    assert.equal(answered.status, 200);
    assert.equal(answered.headers['access-control-allow-origin'], 'https://friend.example');
    const asked = { ...friend, 'access-control-request-method': 'POST' };
    const preflight = await raw('/v1/search', asked, 'OPTIONS');
    assert.equal(preflight.status, 204);
    assert.match(String(preflight.headers['access-control-allow-methods']), /POST/);
    const evil = await raw('/v1/search', { ...asked, origin: 'https://evil.example' }, 'OPTIONS');
    assert.equal(evil.status, 403);
    assert.equal(evil.headers['access-control-allow-origin'], undefined);
  });

  test('answers carry a strict policy', async () => {
    const { headers } = await raw('/health', { host: host() });
    assert.match(String(headers['content-security-policy']), /^default-src 'none'; script-src 'self';/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cache-control'], 'no-store');
  });
});

describe('a key that is given once', () => {
  const url = (path: string): string => `http://127.0.0.1:${new URL(locked.url).port}${path}`;
  const login = (key: string) => ask<Problem>(url('/login'), { key });

  test('/login gives a cookie with the scope of the key, which opens pictures and streams', async () => {
    const { status, body, headers } = await login(READ);
    assert.deepEqual([status, body as unknown], [200, { scope: 'read' }]);
    const cookie = headers.get('set-cookie') ?? '';
    assert.match(cookie, /; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
    assert.ok(!cookie.includes(READ));
    const [pair = ''] = cookie.split(';');
    assert.equal((await ask(url('/v1/collections'), undefined, { headers: { cookie: pair } })).status, 200);
    const forged = pair.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    for (const other of [forged, `${pair}x`, 'vlmo_session=', 'vlmo_session=a.b.c'])
      assert.equal(
        (await ask(url('/v1/collections'), undefined, { headers: { cookie: other } })).status,
        401,
        other,
      );
    assert.equal((await login('not-a-key-that-is-known')).status, 401);
  });

  test('what changes something needs the origin of this server beside the cookie', async () => {
    const [pair = ''] = ((await login(ADMIN)).headers.get('set-cookie') ?? '').split(';');
    const remove = (headers: Record<string, string>) =>
      ask<Problem>(
        url('/v1/items'),
        { keys: ['none'] },
        { method: 'DELETE', headers: { cookie: pair, ...headers } },
      );
    assert.deepEqual((await remove({})).body.code, 'ORIGIN_REFUSED');
    assert.equal((await remove({ origin: new URL(url('/')).origin })).status, 200);
    const reading = await ask<Problem>(
      url('/v1/items'),
      { keys: ['none'] },
      {
        method: 'DELETE',
        headers: { authorization: `Bearer ${READ}` },
      },
    );
    assert.deepEqual([reading.status, reading.body.code], [403, 'SCOPE_MISSING']);
  });

  test('the form of /login works without a script', async () => {
    assert.match(await (await fetch(url('/login'))).text(), /<form method="post">/);
    const body = new URLSearchParams({ key: READ });
    const answer = await fetch(url('/login'), { method: 'POST', body, redirect: 'manual' });
    assert.deepEqual([answer.status, answer.headers.get('location')], [303, '/']);
    assert.match(answer.headers.get('set-cookie') ?? '', /^vlmo_session=/);
  });

  test('behind https the cookie is Secure; forwarded headers of strangers are not believed', async () => {
    const keys = await readKeys(`read:${READ}`, undefined);
    const headers = { 'x-forwarded-proto': 'https' };
    for (const [forwarders, isSecure] of [
      [['127.0.0.1'], true],
      [undefined, false],
    ] as const) {
      await using server = await serve(served.index, { forwarders }, keys);
      const { headers: given } = await ask(`${server.url}/login`, { key: READ }, { headers });
      assert.equal(/; Secure$/.test(given.get('set-cookie') ?? ''), isSecure);
    }
  });

  test('openSession: over when its time is, and gone with its key', async () => {
    const keys = await readKeys(`read:${READ}`, undefined);
    const known = keys.find(READ);
    assert.ok(known);
    const cookie = `other=1; vlmo_session=${sealSession(keys, known, 0)}`;
    assert.deepEqual(openSession(keys, cookie, 1000)?.scope, 'read');
    assert.equal(openSession(keys, cookie, 43_201_000), undefined);
    const others = await readKeys('read:another-key-0123456789', undefined);
    assert.equal(openSession(others, cookie, 1000), undefined);
  });
});

describe('rates', () => {
  test('more than its requests a minute: 429 with the time to wait; another key goes on', async () => {
    const keys = await readKeys(`read:${READ},admin:${ADMIN}`, undefined);
    await using server = await serve(served.index, { rateLimit: 60 }, keys);
    const get = (key: string) =>
      ask<Problem>(`${server.url}/v1/generations`, undefined, { headers: { 'x-api-key': key } });
    const answers = await Promise.all(Array.from({ length: 14 }, () => get(READ)));
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length >= 2 && refused.length <= 4, String(refused.length));
    for (const { body, headers } of refused)
      assert.deepEqual([body.code, headers.get('retry-after')], ['RATE_LIMITED', '1']);
    assert.equal((await get(ADMIN)).status, 200);
    const metrics = await (await fetch(`${server.url}/metrics`, { headers: { 'x-api-key': ADMIN } })).text();
    assert.ok(metrics.includes(`vlmo_overload_total{reason="rate"} ${refused.length}\n`));
  });

  test('take: a bucket of ten seconds that fills by its rate', () => {
    const buckets = new Map();
    for (let i = 0; i < 20; i++) assert.equal(take(buckets, 'a', 2, 0), 0);
    assert.equal(take(buckets, 'a', 2, 0), 500);
    assert.equal(take(buckets, 'a', 2, 500), 0);
    assert.equal(take(buckets, 'b', 2, 500), 0);
  });
});

describe('keys', () => {
  const url = (path: string): string => `http://127.0.0.1:${new URL(locked.url).port}${path}`;

  test('an address that others reach demands them', async () => {
    await assert.rejects(serve(served.index, { host: '0.0.0.0' }), { code: 'CONFIG_INVALID' });
    await (await serve(served.index, { host: '0.0.0.0', allowAnonymous: true })).close();
  });

  test('none and an unknown one are 401; the right one answers, whichever way it comes', async () => {
    const none = await ask<Problem>(url('/v1/items?id=x'));
    assert.deepEqual([none.status, none.body.code], [401, 'KEY_REQUIRED']);
    assert.equal(none.headers.get('www-authenticate'), 'Bearer');
    for (const headers of [{ authorization: 'Bearer another-key-of-someone' }, { 'x-api-key': '' }])
      assert.equal((await ask(url('/metrics'), undefined, { headers })).status, 401);
    for (const headers of [{ authorization: `Bearer ${READ}` }, { 'x-api-key': READ }])
      assert.equal((await ask(url('/v1/search'), { text: 'apple' }, { headers })).status, 200);
  });

  test('health, readiness and documents ask for none', async () => {
    for (const path of ['/health', '/openapi.json']) assert.equal((await fetch(url(path))).status, 200);
    assert.ok([200, 503].includes((await fetch(url('/ready'))).status));
    assert.equal((await fetch(url('/docs/'))).status, 200);
  });

  test('no key is in the log; the name of the one that came is', async () => {
    await fetch(url('/v1/items?id=x&k=secret-in-query'), { headers: { authorization: `Bearer ${READ}` } });
    const log = logged.lines.join('');
    for (const secret of [READ, ADMIN, 'secret-in-query']) assert.ok(!log.includes(secret));
    const named = logged.lines.map(
      (line) => JSON.parse(line) as { key?: string; reqId?: string; route?: string },
    );
    const last = named.findLast(({ route }) => route === '/v1/items');
    assert.match(last?.key ?? '', /^[0-9a-f]{8}$/);
    assert.match(last?.reqId ?? '', /^[0-9a-f-]{36}$/);
  });

  test('readKeys: lists and files; short keys and what is none are refused without being repeated', async () => {
    const file = join(folder, 'keys.txt');
    await writeFile(file, `# team\nread:${READ}\n\nsubmit:another-key-0123456789\n`);
    const keys = await readKeys(`admin:${ADMIN}`, file);
    assert.equal(keys.size, 3);
    assert.deepEqual(
      [READ, ADMIN].map((key) => keys.find(key)?.scope),
      ['read', 'admin'],
    );
    assert.equal(keys.find('none'), undefined);
    for (const wrong of ['read:short', 'root:0123456789abcdef', '0123456789abcdef'])
      await assert.rejects(readKeys(wrong, undefined), (error: Error) => !error.message.includes(wrong));
    await assert.rejects(readKeys('', join(folder, 'none')), { code: 'CONFIG_INVALID' });
  });
});
