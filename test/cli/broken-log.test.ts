import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis, type TestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { put } from '../pipeline/pictures.ts';
import { vlmoJson } from './cli-fixture.ts';
import { untilStanding } from './queue-fixture.ts';

const BIN = fixture('../../bin/vlmo.js');
const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const SOURCE = join(folder, 'list.csv');
/** Each has a line of 4 kB in the log: more of them than a pipe holds. */
const MISSING = 40;
const PIPE = join(folder, 'pipe');
let redis: TestRedis;

before(async () => {
  redis = await startTestRedis();
  const rows = Array.from({ length: MISSING }, (_, n) => `${'c'.repeat(3900)}${n},missing${n}.png`);
  await put(folder, 'list.csv', ['id,image', ...rows].join('\n'));
  execFileSync('mkfifo', [PIPE]);
});
after(() => redis[Symbol.asyncDispose]());

/** Where a shell sends the log of a worker. */
const PLACES: Readonly<Record<string, string>> = {
  closed: 'exec "$@" 2>&-',
  'a full disk': 'exec "$@" 2>/dev/full',
  'a pipe whose reader is gone': `sleep 0.1 <${PIPE} & exec "$@" 2>${PIPE}`,
  'a pipe that nobody reads': `sleep 100 <${PIPE} & exec "$@" 2>${PIPE}`,
};

describe('a worker whose log goes nowhere does its jobs and ends as it is told', { timeout: 300_000 }, () => {
  for (const [name, line] of Object.entries(PLACES)) {
    test(name, async (t) => {
      const index = join(await temporaryFolder(t), 'index');
      const env = { REDIS_URL: redis.url };
      const submit = ['submit', SOURCE, '--index', index, '--model', MODEL, '--chunk-items', '8', '--json'];
      const run = (await vlmoJson<{ run: string }>(submit, 0, { env })).lines[0]?.run ?? '';
      const args = ['worker', '--index', index, '--log-level', 'debug', '--drain-timeout', '2'];
      const shell = ['-c', line, 'sh', process.execPath, BIN, ...args];
      const worker = spawn('sh', shell, { env: { ...process.env, ...env }, stdio: 'ignore', detached: true });
      t.after(() => void spawn('sh', ['-c', `kill -9 -${worker.pid} 2>/dev/null`]));
      const exit = once(worker, 'exit');
      const done = await untilStanding(index, run, env, ({ state }) => state === 'complete', 60);
      assert.equal(done.failed, MISSING);
      const begun = performance.now();
      worker.kill('SIGTERM');
      assert.deepEqual(await exit, [0, null]);
      assert.ok(performance.now() - begun < 7000);
    });
  }
});
