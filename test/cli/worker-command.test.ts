import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { drawPicture, pictureName, put } from '../pipeline/pictures.ts';
import { ended, vlmo } from './cli-fixture.ts';
import { BAD, enginePid, GOOD, openScene, readLog, startSuite, until } from './queue-suite.ts';
import { assertSame, readTables, type Tables } from './tables.ts';

const suite = await startSuite({ after });
const UUID = /^[0-9a-f-]{36}$/;
const JOB_ID = /^[0-9a-f]{32}$/;

let expected: Tables;

/** The rows of the mixed source without any queue. */
before(async () => {
  const index = join(suite.pictures, '..', 'undisturbed');
  const { code } = await vlmo(['index', suite.mixed, '--index', index, '--model', suite.model]);
  assert.equal(code, 2);
  expected = await readTables(index);
});

describe('vlmo worker', { timeout: 600_000 }, () => {
  test('the log is JSON lines, with the ids of run, job and item; progress is in the field of BullMQ', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.mixed);
    const worker = scene.worker();
    await readLog(worker).until('run complete');
    worker.kill('SIGTERM');
    const { code, stdout, stderr } = await ended(worker);
    assert.deepEqual([code, stdout], [0, '']);
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const { level, time, msg, name } of lines)
      assert.deepEqual([typeof level, typeof time, typeof msg, name], ['number', 'string', 'string', 'vlmo']);
    const failed = lines.filter(({ item }) => item !== undefined);
    assert.deepEqual(
      failed.map(({ run, code }) => [run, code]).sort(),
      ['IMAGE_INVALID', 'ITEM_NOT_FOUND', 'SOURCE_ROW_INVALID'].map((code) => [run, code]),
    );
    const done = lines.filter(({ msg }) => msg === 'chunk done');
    assert.equal(done.length, 10);
    for (const line of [...failed, ...done]) assert.match(String(line.job), JOB_ID);
    assert.match(run, UUID);
    const { chunks } = await scene.queues();
    for (const { job } of done) {
      const progress = (await chunks.getJob(String(job)))?.progress as Record<string, number> | undefined;
      assert.ok(progress);
      const { items = 0, stored = 0, skipped = 0, failed: bad = 0 } = progress;
      assert.ok(items > 0 && stored + skipped + bad === items, JSON.stringify(progress));
    }
  });

  test('SIGTERM: what is in hand is finished within the set time, and nothing stays taken', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.mixed);
    const { chunks } = await scene.queues();
    const worker = scene.worker(['--concurrency', '2']);
    await readLog(worker).until('chunk done');
    worker.kill('SIGTERM');
    const { code, stderr } = await ended(worker);
    assert.equal(code, 0, stderr);
    const { active, completed, failed, prioritized = 0 } = await chunks.getJobCounts();
    assert.deepEqual([active, failed, (completed ?? 0) + prioritized], [0, 0, 10]);
    assert.equal(stderr.split('chunk done').length - 1, completed, 'what was taken was finished');
    scene.worker();
    await scene.complete(run);
    assertSame(await readTables(scene.index), expected);
  });

  test('SIGTERM: what cannot be finished in time goes back, and another worker finishes it with the same rows', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.mixed);
    await scene.json(['queue', 'pause']);
    const { chunks } = await scene.queues();
    const stuck = scene.worker(['--drain-timeout', '1']);
    const log = readLog(stuck);
    await log.until('taking jobs');
    const engine = await enginePid(stuck);
    process.kill(engine, 'SIGSTOP');
    await chunks.resume();
    await until(
      () => chunks.getActiveCount(),
      (count) => count === 4,
    );
    const start = performance.now();
    stuck.kill('SIGTERM');
    const { code, stderr } = await ended(stuck);
    assert.equal(code, 0, stderr);
    const seconds = (performance.now() - start) / 1000;
    assert.ok(seconds >= 1 && seconds < 20, `${seconds} s`);
    const { active, completed, failed, waiting, prioritized = 0 } = await chunks.getJobCounts();
    assert.deepEqual([active, completed, failed, (waiting ?? 0) + prioritized], [0, 0, 0, 10]);
    assert.throws(() => process.kill(engine, 0), { code: 'ESRCH' });
    scene.worker();
    const { stored, failed: bad } = await scene.complete(run);
    assert.deepEqual([stored, bad], [GOOD, BAD]);
    assertSame(await readTables(scene.index), expected);
  });

  test('serves each collection by the model that is registered for it, several at once, and no other', async (t) => {
    await using scene = await openScene(t, suite);
    const first = await scene.submit(suite.good);
    const other = await scene.submit(suite.mixed, ['--collection', 'other', '--preprocess', 'reference']);
    const [standing] = await scene.json<{ generation: string }>(['status', other.run]);
    const { chunks } = await scene.queues();
    const image = { kind: 'image', id: 'x.png', uri: join(suite.pictures, pictureName(1)) };
    const wrong = { items: [image], collection: 'default', generation: standing?.generation };
    await chunks.add('c', wrong, { jobId: 'wrong' });
    scene.worker();
    assert.equal((await scene.complete(first.run)).stored, GOOD);
    assert.equal((await scene.complete(other.run)).stored, GOOD);
    const job = await until(
      () => chunks.getJob('wrong'),
      (found) => found?.failedReason !== undefined,
    );
    assert.match(job?.failedReason ?? '', /expected "generation" to be a generation of collection "default"/);
    for (const collection of ['default', 'other']) {
      const args = ['search', 'red 3', '--collection', collection, '--in', 'captions', '-k', '100'];
      const [answer] = await scene.json<{ hits: unknown[] }>(args);
      assert.equal(answer?.hits.length, (GOOD / 3) * 2);
    }
  });

  test('search --queued gives the hits of search, by text, picture and id', async (t) => {
    await using scene = await openScene(t, suite);
    await vlmo(['index', suite.good, '--index', scene.index, '--model', suite.model]);
    scene.worker();
    const folder = await temporaryFolder(t);
    await put(folder, 'query.png', await drawPicture(99));
    interface Answer {
      readonly hits: readonly { readonly id: string; readonly score: number }[];
    }
    for (const args of [
      ['red 4', '--in', 'captions', '-k', '5', '--where', 'meta.n >= 2'],
      ['--image', join(folder, 'query.png')],
      ['--id', pictureName(3), '--min-score', '-1'],
    ]) {
      const [here] = await scene.json<Answer>(['search', ...args]);
      const [queued] = await scene.json<Answer>(['search', ...args, '--queued']);
      assert.ok(here && queued && here.hits.length > 0);
      assert.deepEqual(queued.hits.map(withoutScore), here.hits.map(withoutScore));
      for (const [i, { score }] of queued.hits.entries())
        assert.ok(Math.abs(score - (here.hits[i]?.score ?? Number.NaN)) < 1e-5);
    }
    const { code, stderr } = await vlmo(
      ['search', 'red', '--queued', '--where', 'width >', '--index', scene.index],
      scene,
    );
    assert.equal(code, 1);
    assert.match(stderr, /^vlmo: Cannot .*\[FILTER_INVALID\]\n$/);
    // The worker looks for it, by its absolute path.
    const gone = await vlmo(['search', '--image', 'gone.png', '--queued', '--index', scene.index], scene);
    assert.match(gone.stderr, /^vlmo: Cannot read image "\/.*\/gone\.png".*\[ITEM_NOT_FOUND\]\n$/);
  });

  test('OpenTelemetry: with an SDK registered by --import, submission and work are spans of one trace', async (t) => {
    await using scene = await openScene(t, suite);
    const file = join(await temporaryFolder(t), 'spans.jsonl');
    const hook = {
      NODE_OPTIONS: `--import ${pathToFileURL(fixture('trace-hook.ts')).href}`,
      TRACE_FILE: file,
    };
    const args = ['submit', suite.good, '--index', scene.index, '--model', suite.model, '--json'];
    const submitted = await vlmo(args, { env: { ...scene.env, ...hook }, isProcess: true });
    assert.equal(submitted.code, 0, submitted.stderr);
    const { run } = JSON.parse(submitted.stdout) as { run: string };
    const worker = scene.worker([], hook);
    await scene.complete(run);
    worker.kill('SIGTERM');
    await ended(worker);
    const spans = (await readFile(file, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Span);
    const added = spans.find(({ name }) => name === 'addBulk chunks-2');
    const processed = spans.find(({ name }) => name === 'process chunks-2');
    assert.ok(added && processed, spans.map(({ name }) => name).join(', '));
    assert.equal(processed.traceId, added.traceId);
  });

  test('no index: cannot run', async (t) => {
    const none = join(await temporaryFolder(t), 'none');
    const { code, stderr } = await vlmo(['worker', '--index', none], { env: { REDIS_URL: suite.redis.url } });
    assert.equal(code, 1);
    assert.match(stderr, /^vlmo: Cannot .*\[STORE_NOT_FOUND\]\n$/);
  });
});

interface Span {
  readonly name: string;
  readonly traceId: string;
}

function withoutScore({ score: _, ...hit }: { readonly score: number }): object {
  return hit;
}
