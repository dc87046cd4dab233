import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { createDownloadClient } from '#download/client.ts';
import type { Fetcher } from '#pipeline/fetcher.ts';
import { Spool } from '#pipeline/spool.ts';
import type { IndexSummary } from '#runs/index-source.ts';
import type { ImageItem, Source } from '#sources/item.ts';
import { startSite, tagged } from '../download/picture-site.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPicture } from './pictures.ts';
import {
  counts,
  type Engine,
  generated,
  type Index,
  openIndex,
  run,
  startEngine,
} from './pipeline-fixture.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());

function createFetcher(
  t: TestContext,
  host: string,
  { places = 64, bytes = 2 ** 24, isOpen = true } = {},
): Fetcher {
  const client = createDownloadClient({
    ...{ policy: { isOpen, allowed: [host] }, maxBytes: 1_000_000, timeoutMs: 2000, retries: 1 },
    ...{ perHost: 8, concurrency: 16, obeysRobots: true },
  });
  t.after(() => client[Symbol.asyncDispose]());
  return { client: async () => client, spool: new Spool({ places, bytes }) };
}

function urls(host: string, paths: readonly string[]): Source {
  const items = paths.map(
    (path): ImageItem => ({ kind: 'image', id: path, uri: `http://${host}${path}`, meta: {} }),
  );
  return generated(async function* () {
    yield* items;
  });
}

async function open(t: TestContext): Promise<Index> {
  const folder = await temporaryFolder(t);
  const index = await openIndex(join(folder, 'index'), engine);
  t.after(() => index[Symbol.asyncDispose]());
  return index;
}

/** Codes of what failed, by id. */
async function codes(index: Index): Promise<Record<string, string>> {
  const failures = await index.failures();
  return Object.fromEntries(failures.map(({ id, code }) => [id, code]));
}

function stands({ stored, skipped, failed, knownFailures }: IndexSummary): readonly number[] {
  return [stored, skipped, failed, knownFailures];
}

describe('pictures by URL', { timeout: 120_000 }, () => {
  test('are stored with their URLs; what cannot be had is listed, and asked again only where that may help', async (t) => {
    const site = await startSite(t);
    const pictures = await Promise.all(Array.from({ length: 20 }, (_, n) => drawPicture(n)));
    for (const [n, picture] of pictures.entries())
      site.answers.set(`/${n}.png`, (response) => void response.end(picture));
    site.answers.set('/page', (response) => void response.end('<html>'));
    site.answers.set('/cut.png', (response) => void response.end(pictures[0]?.subarray(0, 60)));
    site.answers.set('/busy', (response) => void response.writeHead(503).end());
    site.answers.set('/kept', (response) => void response.setHeader('x-robots-tag', 'noai').end(pictures[0]));
    site.answers.set(
      '/inside',
      (response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    );
    const bad = ['/page', '/cut.png', '/busy', '/kept', '/inside', '/missing'];
    const source = urls(site.host, [...pictures.map((_, n) => `/${n}.png`), ...bad]);
    const index = await open(t);
    const fetcher = createFetcher(t, site.host);
    const first = await run(engine, index, source, { fetcher });
    assert.deepEqual(stands(first), [20, 0, 6, 0]);
    const expected = {
      '/page': 'IMAGE_INVALID',
      '/cut.png': 'IMAGE_INVALID',
      '/busy': 'DOWNLOAD_FAILED',
      '/kept': 'ROBOTS_REFUSED',
      '/inside': 'URL_REFUSED',
      '/missing': 'DOWNLOAD_NOT_FOUND',
    };
    assert.deepEqual(await codes(index), expected);
    const images = await index.images();
    assert.ok(images.every(({ id, uri }) => uri === `http://${site.host}${id}`));
    assert.equal(new Set(images.map(({ sha256 }) => sha256)).size, 20);

    site.asked.length = 0;
    const second = await run(engine, index, source, { fetcher });
    assert.deepEqual(stands(second), [0, 20, 6, 4]);
    assert.deepEqual(
      site.asked.filter((path) => !/^\/\d/.test(path)).toSorted(),
      // Nothing says whether it is as it was; one attempt more.
      ['/busy', '/busy', '/cut.png', '/inside'],
    );
    assert.deepEqual(stands(await run(engine, index, source, { fetcher, retryFailed: true })), [0, 20, 6, 0]);
    assert.deepEqual(await codes(index), expected);
  });

  test('that are as they were are neither sent nor embedded again', async (t) => {
    const site = await startSite(t);
    const [one, two, other] = await Promise.all([1, 2, 3].map((n) => drawPicture(n)));
    const source = urls(site.host, ['/one', '/two', '/broken']);
    site.answers.set('/one', tagged(one as Buffer, '"1"'));
    site.answers.set('/two', tagged(two as Buffer, '"1"'));
    site.answers.set('/broken', tagged((one as Buffer).subarray(0, 60), '"1"'));
    const index = await open(t);
    let sent = 0;
    let embedded = 0;
    const fetcher = createFetcher(t, site.host);
    const counting: Fetcher = {
      ...fetcher,
      client: async () => {
        const client = await fetcher.client();
        return {
          ...client,
          async get(...args: Parameters<typeof client.get>) {
            const found = await client.get(...args);
            if (found.kind === 'bytes') sent += 1;
            return found;
          },
        };
      },
    };
    const watched: Engine = {
      ...engine,
      inference: {
        ...engine.inference,
        threads: engine.inference.threads,
        run(...args: Parameters<Engine['inference']['run']>) {
          embedded += 1;
          return engine.inference.run(...args);
        },
      },
    };
    const again = async (options = {}): Promise<readonly number[]> => {
      sent = 0;
      embedded = 0;
      const summary = await run(watched, index, source, { fetcher: counting, ...options });
      return [...stands(summary), sent, Math.min(1, embedded)];
    };
    assert.deepEqual(await again(), [2, 0, 1, 0, 3, 1]);
    assert.deepEqual(await again(), [0, 2, 1, 1, 0, 0]);
    assert.deepEqual(await again({ verify: true }), [0, 2, 1, 1, 3, 0]);
    site.answers.set('/two', tagged(other as Buffer, '"2"'));
    assert.deepEqual(await again(), [1, 1, 1, 1, 1, 1]);
    // Gone from its server, a picture keeps its vector; kept from data sets, it does not.
    site.answers.delete('/one');
    assert.deepEqual(await again(), [0, 2, 1, 1, 0, 0]);
    site.answers.set('/one', (response) => void response.setHeader('x-robots-tag', 'noindex').end(one));
    assert.deepEqual(await again(), [0, 1, 2, 1, 0, 0]);
    assert.deepEqual(
      (await index.images()).map(({ id }) => id),
      ['/two'],
    );
  });

  test('are refused where hosts have to be named, and had when they are', async (t) => {
    const site = await startSite(t);
    site.answers.set('/a', (response) => void response.end('none'));
    const picture = await drawPicture(1);
    site.answers.set('/a', (response) => void response.end(picture));
    const source = urls(site.host, ['/a']);
    const index = await open(t);
    for (const isOpen of [true, false]) {
      const summary = await run(engine, index, source, {
        fetcher: createFetcher(t, 'other.test', { isOpen }),
      });
      assert.deepEqual([stands(summary), await codes(index)], [[0, 0, 1, 0], { '/a': 'URL_REFUSED' }]);
    }
    assert.deepEqual(site.asked, []);
    assert.deepEqual(
      stands(await run(engine, index, source, { fetcher: createFetcher(t, site.host) })),
      [1, 0, 0, 0],
    );
  });

  test('never take more memory than is said, but for one, and none waits for itself', async (t) => {
    const site = await startSite(t);
    const picture = await drawPicture(1);
    const padded = Buffer.concat([picture, Buffer.alloc(40_000)]);
    const paths = Array.from({ length: 40 }, (_, n) => `/${n}`);
    for (const [n, path] of paths.entries())
      site.answers.set(path, (response) => {
        // Half of them do not say how much comes.
        if (n % 2 === 0) response.setHeader('content-length', padded.length);
        response.flushHeaders();
        response.end(padded);
      });
    const index = await open(t);
    const fetcher = createFetcher(t, site.host, { places: 5, bytes: 100_000 });
    let most = 0;
    const watching = setInterval(() => {
      most = Math.max(most, fetcher.spool.bytes);
    }, 1);
    const summary = await run(engine, index, urls(site.host, paths), { fetcher });
    clearInterval(watching);
    assert.deepEqual(stands(summary), [40, 0, 0, 0]);
    assert.ok(most <= 100_000 + padded.length + 300_000, `${most} bytes`);
    assert.equal(fetcher.spool.bytes, 0);
  });

  test('a slow one keeps no other; stopped, a run ends at once and leaves it to the next', async (t) => {
    const site = await startSite(t);
    const picture = await drawPicture(1);
    const paths = Array.from({ length: 30 }, (_, n) => `/${n}`);
    for (const path of paths) site.answers.set(path, (response) => void response.end(picture));
    site.answers.set('/slow', () => undefined);
    const index = await open(t);
    const stop = new AbortController();
    const fetcher = createFetcher(t, site.host);
    let seen = (): number => 0;
    const running = run(engine, index, urls(site.host, ['/slow', ...paths]), {
      fetcher,
      signal: stop.signal,
      onStart: (progress) => {
        seen = () => progress().stored;
      },
    });
    while (seen() < 24) await new Promise((resolve) => setTimeout(resolve, 10));
    const stopped = performance.now();
    stop.abort();
    const summary = await running;
    assert.ok(performance.now() - stopped < 1500);
    assert.equal(summary.state, 'interrupted');
    assert.ok(summary.stored >= 24 && summary.failed === 0);
    assert.equal(fetcher.spool.bytes, 0);
    site.answers.set('/slow', (response) => void response.end(picture));
    const second = await run(engine, index, urls(site.host, ['/slow', ...paths]), { fetcher });
    assert.deepEqual(counts(second), {
      state: 'complete',
      seen: 31,
      stored: 31 - summary.stored,
      skipped: summary.stored,
      failed: 0,
      knownFailures: 0,
    });
  });
});
