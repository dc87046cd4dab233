import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import parsePrometheus from 'parse-prometheus-text-format';
import type { Problem } from '#server/errors/problem.ts';
import { toText } from '#server/log.ts';
import type { Server } from '#server/serve.ts';
import { openIndex } from '#service/open-index.ts';
import { ended, startVlmo, type Vlmo } from '../cli/cli-fixture.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { ask, indexScenes, type ServedIndex, serve } from './server-fixture.ts';

const folder = await temporaryFolder({ after });
let served: ServedIndex;
let server: Server;

before(async () => {
  served = await indexScenes(folder, 4);
  server = await serve(served.index);
});

after(async () => {
  await server.close();
  await served.index.close();
});

interface Ready {
  readonly ready: boolean;
  readonly parts: readonly { readonly part: string; readonly ready: boolean; readonly reason: string }[];
}

/** Asks until model and vectors are loaded. */
async function untilReady(url: string): Promise<Ready> {
  for (;;) {
    const { status, body } = await ask<Ready>(`${url}/ready`);
    if (status === 200) return body;
    assert.equal(status, 503);
  }
}

describe('operations', { timeout: 300_000 }, () => {
  test('/ready: a table of parts, each with its reason, until all are', async () => {
    const { ready, parts } = await untilReady(server.url);
    assert.equal(ready, true);
    assert.deepEqual(
      parts.map(({ part }) => part),
      ['index', 'model'],
    );
    await using other = await serve(served.index, { collection: 'none' });
    const { status, body } = await ask<Ready>(`${other.url}/ready`);
    assert.equal(status, 503);
    assert.match(body.parts[0]?.reason ?? '', /collection "none"/);
    assert.equal((await fetch(`${other.url}/health`)).status, 200);
  });

  test('/metrics: read by another library, requests by route, method and status', async () => {
    await ask(`${server.url}/v1/search`, { text: 'apple' });
    await ask(`${server.url}/v1/search`, { k: -1 });
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const families = new Map(parsePrometheus(text).map((family) => [family.name, family]));
    for (const [name, type] of [
      ['http_server_request_duration_seconds', 'HISTOGRAM'],
      ['vlmo_stage_duration_seconds', 'HISTOGRAM'],
      ['vlmo_overload_total', 'COUNTER'],
      ['process_resident_memory_bytes', 'GAUGE'],
    ] as const)
      assert.equal(families.get(name)?.type, type, name);
    assert.deepEqual(
      families
        .get('vlmo_items_total')
        ?.metrics.map(({ labels, value }) => [labels?.status, labels?.code, value]),
      [
        ['stored', '', '8'],
        ['skipped', '', '0'],
        ['failed', 'IMAGE_INVALID', '1'],
      ],
    );
    // Every metric of the dashboard is there.
    const dashboard = await readFile(fixture('../../docs/grafana.json'), 'utf8');
    for (const [name] of dashboard.matchAll(/\b(?:vlmo|http_server|process|nodejs)_[a-z0-9_]+/g))
      assert.ok(families.has(name.replace(/_(?:bucket|count)$/, '')), name);
    // The library drops the labels of histograms.
    const labels = (status: number): string =>
      `http_request_method="POST",http_route="/v1/search",http_response_status_code="${status}"`;
    for (const status of [200, 400])
      assert.ok(text.includes(`http_server_request_duration_seconds_count{${labels(status)}} 1\n`), text);
    assert.match(text, /vlmo_stage_duration_seconds_count\{stage="search"\} 1\n/);
  });

  test('more at once than the engine takes: 429 with the wait expected, counted, and the others are answered', async () => {
    const settings = { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1, maxCalls: 1 } as const;
    await using index = await openIndex(served.index.folder, settings);
    await using busy = await serve(index);
    await untilReady(busy.url);
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) => ask<Problem>(`${busy.url}/v1/search`, { text: `apple ${n}` })),
    );
    assert.ok(answers.some(({ status }) => status === 200));
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length > 0);
    for (const { headers, body } of refused) {
      assert.match(headers.get('retry-after') ?? '', /^[1-9][0-9]*$/);
      assert.deepEqual([body.code, body.error.type], ['ENGINE_BUSY', 'rate_limit_error']);
    }
    const metrics = await (await fetch(`${busy.url}/metrics`)).text();
    assert.ok(metrics.includes(`vlmo_overload_total{reason="engine"} ${refused.length}\n`));
  });

  test('/openapi.json is OpenAPI 3.1 with every route, and its references lead somewhere', async () => {
    const { body } = await ask<{ openapi: string; paths: Record<string, object> }>(
      `${server.url}/openapi.json`,
    );
    assert.match(body.openapi, /^3\.1\./);
    for (const path of ['/health', '/ready', '/metrics', '/v1/search', '/v1/items', '/v1/items/{key}'])
      assert.ok(path in body.paths, path);
    const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
      ([, path = '']) => path,
    );
    assert.ok(references.length > 0);
    for (const path of references) {
      const found = path.split('/').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], body);
      assert.notEqual(found, undefined, path);
    }
  });

  test('/docs loads nothing from elsewhere', async () => {
    const page = await fetch(`${server.url}/docs/`);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'self'/);
    const html = await page.text();
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url = '']) => url);
    assert.ok(loaded.length > 2);
    for (const url of loaded) {
      assert.doesNotMatch(url, /^(https?:)?\/\//);
      assert.equal((await fetch(new URL(url, `${server.url}/docs/`))).status, 200, url);
    }
  });

  test('everything lies under the base path', async () => {
    await using other = await serve(served.index, { basePath: '/pictures/' });
    assert.equal((await fetch(`${other.url}/health`)).status, 200);
    assert.match(other.url, /\/pictures$/);
    assert.equal((await fetch(`${other.url}/openapi.json`)).status, 200);
    assert.equal((await fetch(`${other.url}/docs/`)).status, 200);
    assert.equal((await fetch(new URL('/health', other.url))).status, 404);
  });

  test('close answers what was asked, and then nothing', async () => {
    const other = await serve(served.index);
    const answers = Array.from({ length: 8 }, () => ask(`${other.url}/v1/search`, { text: 'apple', k: 1 }));
    await Promise.race(answers);
    await other.close();
    for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
    await assert.rejects(fetch(`${other.url}/health`));
  });

  test('a copy of the folder is a backup: put in the place of what was lost, it answers the same', async () => {
    const request = { text: 'apple', k: 4 };
    const before = (await served.index.search(request)).hits;
    const [home, backup] = [join(folder, 'lost'), join(folder, 'backup')];
    await cp(served.index.folder, home, { recursive: true });
    await cp(home, backup, { recursive: true });
    await rm(home, { recursive: true });
    await rename(backup, home);
    await using index = await openIndex(home, { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 });
    await using restored = await serve(index);
    const { body } = await ask<{ hits: object[] }>(`${restored.url}/v1/search`, request);
    assert.deepEqual(body.hits, before);
  });

  test('an index that goes away while it is served: ready says so, nothing crashes', async () => {
    const home = join(folder, 'goes-away');
    await cp(served.index.folder, home, { recursive: true });
    await using index = await openIndex(home, { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 });
    await using other = await serve(index);
    await untilReady(other.url);
    await rename(home, `${home}-hidden`);
    const { status, body } = await ask<Ready>(`${other.url}/ready`);
    assert.deepEqual([status, body.parts[0]?.ready], [503, false]);
    const answer = await ask<Problem>(`${other.url}/v1/search`, { text: 'apple' });
    assert.ok(answer.status >= 500, String(answer.status));
    assert.ok(!JSON.stringify(answer.body).includes(home), 'paths are for the log');
    await rename(`${home}-hidden`, home);
    await untilReady(other.url);
    assert.equal((await ask(`${other.url}/v1/search`, { text: 'apple' })).status, 200);
  });

  test('toText: one line, whatever it holds', () => {
    const time = '2026-01-02T03:04:05.678Z';
    const line = toText({ time, level: 40, msg: 'failed', pid: 1, hostname: 'x', route: '/v1', err: 'a\nb' });
    assert.equal(line, '03:04:05 warn failed route=/v1 err="a\\nb"');
  });
});

/** The address that a server prints once it listens. */
async function urlOf(child: Vlmo): Promise<string> {
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return (JSON.parse(chunk.toString()) as { url: string }).url;
}

describe('vlmo serve', { timeout: 300_000 }, () => {
  test('prints its address, answers, and ends with 0 when it is told to stop; two serve one index', async () => {
    const args = ['serve', '--index', served.index.folder, '--port', '0', '--json', '--device', 'cpu'];
    const children = [startVlmo(args), startVlmo(args)];
    const urls = await Promise.all(children.map(urlOf));
    for (const [i, child] of children.entries()) {
      const url = urls[i] ?? '';
      await untilReady(url);
      const { status, body } = await ask<{ hits: unknown[] }>(`${url}/v1/search`, { text: 'apple' });
      assert.deepEqual([status, body.hits.length], [200, 4]);
      child.kill('SIGTERM');
    }
    for (const child of children) {
      const { code, stderr } = await ended(child);
      assert.equal(code, 0, stderr);
      for (const line of stderr.trim().split('\n')) JSON.parse(line);
    }
  });
});
