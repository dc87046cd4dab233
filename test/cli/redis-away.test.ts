import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { put } from '../pipeline/pictures.ts';
import { ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { startWorker, untilStanding } from './queue-fixture.ts';
import { readLog } from './queue-suite.ts';

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const SOURCE = join(folder, 'list.csv');
const INDEX = join(folder, 'index');

before(async () => {
  await put(folder, 'list.csv', 'id,caption\na,a red dog\nb,a blue cat\n');
  await vlmo(['index', SOURCE, '--index', INDEX, '--model', MODEL]);
});

/** The arguments of what asks a worker. */
const QUERIES = {
  search: ['search', 'red', '--index', INDEX, '--in', 'captions', '--queued', '--json'],
  retrieve: [
    ...['retrieve', '--queries', 'captions', '--in', 'captions', '--index', INDEX],
    ...['--out', 'hits.parquet', '--queued', '--json'],
  ],
} as const;

describe('Redis is away when a command begins', { timeout: 300_000 }, () => {
  test('submit, worker, search and retrieve wait for it, and all is done when it comes', async () => {
    await using redis = await startTestRedis();
    await redis.kill9();
    const env = { REDIS_URL: redis.url };
    const worker = startWorker(INDEX, env);
    const asked = Object.values(QUERIES).map((args) => startVlmo(args, { env }));
    const submit = startVlmo(['submit', SOURCE, '--index', INDEX, '--model', MODEL, '--json'], { env });
    try {
      const log = readLog(worker);
      await log.until('waiting for it');
      await setTimeout(8000);
      await redis.start();
      await log.until('taking jobs');
      const submitted = await ended(submit);
      assert.equal(submitted.code, 0, submitted.stderr);
      assert.match(submitted.stderr, /Redis: Cannot reach Redis .*; waiting for it/);
      const { run } = JSON.parse(submitted.stdout) as { run: string };
      await untilStanding(INDEX, run, env, ({ state }) => state === 'complete');
      for (const child of asked) {
        const { code, stdout, stderr } = await ended(child);
        assert.equal(code, 0, stderr);
        assert.notEqual(stdout, '');
      }
    } finally {
      for (const child of [worker, submit, ...asked]) child.kill('SIGKILL');
    }
  });

  test('queue pause, resume, clean, drain and retry-failed wait for it too', async () => {
    await using redis = await startTestRedis();
    await redis.kill9();
    const env = { REDIS_URL: redis.url };
    const answers = ['pause', 'resume', 'clean', 'drain', 'retry-failed'].map((action) =>
      startVlmo(['queue', action, '--index', INDEX, '--json'], { env }),
    );
    try {
      await Promise.all(answers.map((child) => once(child.stderr, 'data')));
      await redis.start();
      for (const child of answers) {
        const { code, stdout, stderr } = await ended(child);
        assert.equal(code, 0, stderr);
        assert.match(stderr, /Redis: Cannot reach Redis .*; waiting for it/);
        assert.equal(typeof JSON.parse(stdout), 'object');
      }
    } finally {
      for (const child of answers) child.kill('SIGKILL');
    }
  });

  test('queue actions end when their patience does', async () => {
    const env = { REDIS_URL: 'unix:///nowhere/redis.sock' };
    const begun = performance.now();
    const actions = ['pause', 'resume', 'clean', 'drain', 'retry-failed'];
    await Promise.all(
      actions.map(async (action) => {
        const args = ['queue', action, '--index', INDEX, '--redis-patience', '2'];
        const { code, stderr } = await vlmo(args, { env, isProcess: true });
        assert.equal(code, 1);
        assert.match(stderr, /^vlmo: Cannot use Redis: .* for 2 seconds.* \[REDIS_UNREACHABLE\]$/m);
      }),
    );
    assert.ok(performance.now() - begun < 30_000);
  });

  test('a worker that is told to end while it waits does so in time', async () => {
    const worker = startWorker(INDEX, { REDIS_URL: 'unix:///nowhere/redis.sock' }, ['--drain-timeout', '2']);
    await readLog(worker).until('waiting for it');
    const begun = performance.now();
    worker.kill('SIGTERM');
    assert.equal((await ended(worker)).code, 0);
    assert.ok(performance.now() - begun < 7000);
  });

  test('a server that swallows everything from the first byte on: what asks ends when its patience does', async (t) => {
    const server = createServer((socket) => socket.on('error', () => undefined).resume()).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    t.after(() => server.close());
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const env = { REDIS_URL: `redis://127.0.0.1:${address.port}` };
    for (const args of Object.values(QUERIES)) {
      const begun = performance.now();
      const { code, stdout, stderr } = await vlmo([...args, '--redis-patience', '3'], {
        env,
        isProcess: true,
      });
      assert.deepEqual([code, stdout], [1, ''], stderr);
      assert.match(
        stderr,
        /^vlmo: Cannot use Redis: .* for 3 seconds.*--redis-patience \[REDIS_UNREACHABLE\]$/m,
      );
      assert.ok(performance.now() - begun < 30_000);
    }
  });

  test('another password than the one it asks for: waited for, and done when it is taken', async () => {
    await using redis = await startTestRedis();
    await redis.client.config('SET', 'requirepass', 'changed');
    const env = { REDIS_URL: redis.url };
    const submit = startVlmo(['submit', SOURCE, '--index', INDEX, '--model', MODEL, '--json'], { env });
    await setTimeout(4000);
    await redis.client.config('SET', 'requirepass', '');
    const { code, stderr } = await ended(submit);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /NOAUTH/);
    assert.ok(!stderr.includes('changed'));
    const { lines } = await vlmoJson<{ waiting: number }>(['status', '--index', INDEX, '--json'], 0, { env });
    assert.ok(lines.length > 0);
  });
});
