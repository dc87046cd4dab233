import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { openQueues } from '#queue/bull-queues.ts';
import { openStore } from '#store/lance/open-store.ts';
import { fixture, seededRandom, temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis, type TestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import { ended, vlmo, vlmoJson } from './cli-fixture.ts';
import { mountDisk, remount } from './disk.ts';
import { FAILED, ITEMS, type Standing, startWorker, untilStanding, writeSource } from './queue-fixture.ts';
import { assertSame, readTables, type Tables } from './tables.ts';

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const MINUTE = 60_000;
let source: string;
let expected: Tables;

/** The rows that every run must end with: those of an undisturbed run, without any queue. */
before(async () => {
  source = await writeSource(join(folder, 'source'));
  const undisturbed = join(folder, 'undisturbed');
  assert.equal((await vlmo(['index', source, '--index', undisturbed, '--model', MODEL])).code, 2);
  expected = await readTables(undisturbed);
  assert.equal(expected.failures.length, FAILED);
});

interface Scene extends AsyncDisposable {
  readonly index: string;
  readonly redis: TestRedis;
  readonly run: string;
  readonly env: Readonly<Record<string, string>>;
  worker(args?: readonly string[], env?: Readonly<Record<string, string>>): Worker;
  until(holds: (standing: Standing) => boolean, seconds?: number): Promise<Standing>;
}

type Worker = ReturnType<typeof startWorker>;

/** A Redis, and an index to which the source has been submitted in small jobs. Its workers end with it. */
async function begin(t: TestContext, { index: given = '', from = source } = {}): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const redis = stack.use(await startTestRedis());
  const index = given || join(await temporaryFolder(t), 'index');
  const env = { REDIS_URL: redis.url };
  const { lines } = await vlmoJson<{ run: string; jobs: number; added: number }>(
    ['submit', from, '--index', index, '--model', MODEL, '--chunk-items', '16', '--json'],
    0,
    { env },
  );
  const run = lines[0]?.run ?? '';
  assert.equal(lines[0]?.added, lines[0]?.jobs);
  const workers: Worker[] = [];
  stack.defer(async () => {
    for (const worker of workers) worker.kill('SIGKILL');
    await Promise.all(workers.map(ended));
  });
  return {
    ...{ index, redis, run, env },
    worker(args = [], more = {}) {
      const worker = startWorker(index, { ...env, ...more }, args);
      workers.push(worker);
      return worker;
    },
    until: (holds, seconds) => untilStanding(index, run, env, holds, seconds),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const isComplete = ({ state }: Standing): boolean => state === 'complete';
/** In the middle: something is done, and something is not. */
const isUnderWay = ({ stored, waiting }: Standing): boolean => stored > 0 && waiting > 0;

async function assertUndisturbed({ index, until }: Scene, seconds = 90): Promise<void> {
  const { seen, stored, skipped, failed } = await until(isComplete, seconds);
  assert.deepEqual([seen, stored + skipped, failed], [ITEMS, ITEMS - FAILED, FAILED]);
  assertSame(await readTables(index), expected);
}

describe('queued run', { timeout: 10 * MINUTE }, () => {
  test('a worker killed -9 at random moments, ten times over', async (t) => {
    await using scene = await begin(t);
    const seed = Date.now();
    t.diagnostic(`moments by seed ${seed}`);
    const random = seededRandom(seed);
    for (let kill = 0; kill < 10; kill++) {
      const worker = scene.worker();
      await setTimeout(500 + random() * 900);
      worker.kill('SIGKILL');
      assert.equal((await ended(worker)).signal, 'SIGKILL');
    }
    scene.worker();
    await assertUndisturbed(scene);
  });

  test('Redis killed -9 and started again with its append-only file', async (t) => {
    await using scene = await begin(t);
    scene.worker();
    await scene.until(isUnderWay);
    await scene.redis.kill9();
    await setTimeout(1000);
    await scene.redis.start();
    await assertUndisturbed(scene);
  });

  test('Redis flushed empty in the middle of a run', async (t) => {
    await using scene = await begin(t);
    scene.worker();
    await scene.until(isUnderWay);
    await scene.redis.client.flushall();
    await assertUndisturbed(scene);
  });

  test('Redis away for a minute', async (t) => {
    await using scene = await begin(t);
    scene.worker();
    await scene.until(isUnderWay);
    await scene.redis.kill9();
    await setTimeout(MINUTE);
    await scene.redis.start();
    await assertUndisturbed(scene);
  });

  test('a worker stopped past its locks, and continued', async (t) => {
    await using scene = await begin(t);
    const sleeper = scene.worker();
    await scene.until(isUnderWay);
    sleeper.kill('SIGSTOP');
    scene.worker();
    await setTimeout(7000);
    sleeper.kill('SIGCONT');
    await assertUndisturbed(scene);
  });

  test('the same jobs delivered twice, to two workers at once', async (t) => {
    await using scene = await begin(t);
    const store = await openStore(scene.index, { create: false });
    const queues = openQueues(scene.redis.client, store.id);
    const jobs = await queues.chunks.getJobs(['prioritized']);
    assert.ok(jobs.length > 20);
    for (const job of jobs) if (job) await queues.chunks.add('chunk', job.data, { jobId: `again-${job.id}` });
    await queues.close();
    await store.close();
    scene.worker();
    scene.worker();
    await assertUndisturbed(scene);
  });

  test('a disk that is full, and has room again', async (t) => {
    const place = join(await temporaryFolder(t), 'disk');
    await mkdir(place);
    using disk = mountDisk(place, '64m');
    if (!disk) return t.skip('mounting a disk needs root');
    await using scene = await begin(t, { index: join(place, 'index') });
    // What is there fits, and nothing more.
    const filler = join(place, 'filler');
    await writeFile(filler, Buffer.alloc(80 * 2 ** 20)).catch(() => undefined);
    const worker = scene.worker();
    const log = untilLogged(worker, 'put off');
    await log;
    remount(place, 'size=256m');
    await assertUndisturbed(scene);
    worker.kill('SIGKILL');
    await ended(worker);
  });

  test('a disk that is read-only, and can be written again', async (t) => {
    const place = join(await temporaryFolder(t), 'disk');
    await mkdir(place);
    using disk = mountDisk(place, '256m');
    if (!disk) return t.skip('mounting a disk needs root');
    await using scene = await begin(t, { index: join(place, 'index') });
    remount(place, 'ro');
    const worker = scene.worker();
    await untilLogged(worker, 'put off');
    remount(place, 'rw');
    await assertUndisturbed(scene);
    worker.kill('SIGKILL');
    await ended(worker);
  });

  test('a picture that ends the process is set aside alone, and the rest is stored', async (t) => {
    const place = await temporaryFolder(t);
    await drawPictures(join(place, 'pictures'), 0, 40);
    await put(join(place, 'pictures'), 'p0017-bad.png', 'crash the process');
    await using scene = await begin(t, { from: join(place, 'pictures') });
    const hook = pathToFileURL(fixture('crash-hook.ts')).href;
    scene.worker([], { NODE_OPTIONS: `--import ${hook}` });
    const { stored, failed } = await scene.until(isComplete);
    assert.deepEqual([stored, failed], [40, 1]);
    const { images, failures } = await readTables(scene.index);
    assert.deepEqual(
      images.map(({ id }) => id),
      Array.from({ length: 40 }, (_, n) => pictureName(n)),
    );
    assert.deepEqual(
      failures.map(({ id }) => id),
      ['p0017-bad.png'],
    );
    assert.match(failures[0]?.values ?? '', /code=ITEM_CRASHES/);
  });
});

/** Waits until a worker's log has these words. */
async function untilLogged(worker: Worker, words: string): Promise<void> {
  let text = '';
  await new Promise<void>((resolve, reject) => {
    worker.stderr.on('data', (piece: Buffer) => {
      text += piece.toString();
      if (text.includes(words)) resolve();
    });
    worker.once('exit', () => reject(new Error(`The worker ended: ${text}`)));
  });
}
