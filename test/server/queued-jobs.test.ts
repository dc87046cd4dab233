import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { redisClock } from '#queue/redis-time.ts';
import type { SearchAnswer } from '#search/request.ts';
import { readKeys } from '#server/guards/keys.ts';
import type { JobStatus } from '#server/jobs/job-status.ts';
import type { Server } from '#server/serve.ts';
import { ended, startVlmo, type Vlmo } from '../cli/cli-fixture.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis, type TestRedis } from '../fixtures/redis-server.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { ask, indexScenes, type ServedIndex, serve } from './server-fixture.ts';

const folder = await temporaryFolder({ after });
let served: ServedIndex;
let redis: TestRedis;
let server: Server;
let worker: Vlmo | undefined;

before(async () => {
  served = await indexScenes(folder, 4);
  redis = await startTestRedis();
  const queue = { redis: redis.client, clock: await redisClock(redis.client) };
  server = await serve(served.index, {}, undefined, undefined, queue);
});

after(async () => {
  worker?.kill('SIGTERM');
  if (worker) await ended(worker);
  await server.close();
  await served.index.close();
  await redis[Symbol.asyncDispose]();
});

interface Ready {
  readonly ready: boolean;
  readonly parts: readonly { readonly part: string; readonly ready: boolean }[];
}

const parts = async (): Promise<Record<string, boolean>> => {
  const { body } = await ask<Ready>(`${server.url}/ready`);
  return Object.fromEntries(body.parts.map(({ part, ready }) => [part, ready]));
};
const job = (body: unknown) => ask<JobStatus>(`${server.url}/v1/jobs`, body);

describe('jobs through the queue', { timeout: 300_000 }, () => {
  test('wait for a worker, which indexes them; events tell it, and the server finds what came', async () => {
    const { redis: answers, workers } = await parts();
    assert.deepEqual([answers, workers], [true, false]);
    const data = (await drawPicture(61)).toString('base64');
    const asked = {
      items: [{ kind: 'image', id: 'queued', image: { data }, captions: ['came by the queue'] }],
    };
    const { status, body } = await job(asked);
    assert.equal(status, 202, JSON.stringify(body));
    worker = startVlmo(
      ['worker', '--index', served.index.folder, '--device', 'cpu', '--inference-workers', '1'],
      {
        env: { REDIS_URL: redis.url },
      },
    );
    const events = await (await fetch(`${server.url}/v1/jobs/${body.run}/events`)).text();
    const last = events.trim().split('\n\n').at(-1) ?? '';
    assert.match(last, /^event: end$/m);
    const end = JSON.parse(/^data: (.*)$/m.exec(last)?.[1] ?? '') as JobStatus;
    assert.deepEqual([end.kind, end.state, end.stored, end.failed], ['queued', 'complete', 2, 0]);
    const { body: found } = await ask<SearchAnswer>(`${server.url}/v1/search`, { image: { data }, k: 1 });
    assert.deepEqual([found.hits[0]?.id, found.hits[0]?.source], ['queued', 'uploads']);
    assert.equal((await parts()).workers, true);
  });

  test('/admin/queues shows the queues, to whoever may do everything, and lets nothing come from elsewhere', async () => {
    const page = await fetch(`${server.url}/admin/queues`);
    assert.equal(page.status, 200);
    assert.match(
      page.headers.get('content-security-policy') ?? '',
      /^default-src 'self'; style-src 'self' 'unsafe-inline';/,
    );
    const html = await page.text();
    const [, script = ''] = /<script defer src="(static\/js\/main[^"]+)"/.exec(html) ?? [];
    assert.equal((await fetch(`${server.url}/admin/queues/${script}`)).status, 200);
    const { body } = await ask<{ queues: { name: string; counts: Record<string, number> }[] }>(
      `${server.url}/admin/queues/api/queues`,
    );
    assert.deepEqual(
      body.queues.map(({ name }) => name.replace(/-\d+$/, '')),
      ['chunks', 'queries', 'retrievals'],
    );
    const keys = await readKeys('read:0123456789abcdef,admin:fedcba9876543210', undefined);
    const queue = { redis: redis.client, clock: () => new Date() };
    await using locked = await serve(served.index, {}, keys, undefined, queue);
    for (const [key, status] of [
      ['0123456789abcdef', 403],
      ['fedcba9876543210', 200],
    ] as const)
      for (const path of ['/admin/queues', '/admin/queues/api/queues', `/admin/queues/${script}`])
        assert.equal(
          (await fetch(locked.url + path, { headers: { 'x-api-key': key } })).status,
          status,
          path,
        );
    assert.equal((await fetch(`${locked.url}/admin/queues`)).status, 401);
  });

  test('cancel ends a queued run; Redis that is gone is said, and searches go on', async () => {
    worker?.kill('SIGTERM');
    if (worker) await ended(worker);
    worker = undefined;
    const { body } = await job({ items: [{ kind: 'caption', id: 'never', caption: 'never indexed' }] });
    let state = 'waiting';
    while (state === 'waiting')
      state = (await ask<JobStatus>(`${server.url}/v1/jobs/${body.run}`)).body.state;
    const cancelled = await ask<JobStatus>(`${server.url}/v1/jobs/${body.run}/cancel`, undefined, {
      method: 'POST',
    });
    assert.deepEqual([cancelled.status, cancelled.body.state], [202, 'cancelled']);
    await redis.kill9();
    const without = await parts();
    assert.deepEqual([without.redis, without.workers], [false, false]);
    assert.equal((await ask(`${server.url}/v1/search`, { text: 'apple' })).status, 200);
    await redis.start();
    while (!(await parts()).redis);
  });
});
