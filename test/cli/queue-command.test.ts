import assert from 'node:assert/strict';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { RunRecord } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPicture, put } from '../pipeline/pictures.ts';
import { vlmo } from './cli-fixture.ts';
import type { Standing } from './queue-fixture.ts';
import { BAD, GOOD, openScene, readLog, type Scene, startSuite, until } from './queue-suite.ts';

const suite = await startSuite({ after });

interface Failed {
  readonly id: string;
  readonly code: string;
  readonly attempts: number;
}

/** Each failure with its code and attempts, by its id. */
async function failures(scene: Scene): Promise<Record<string, readonly [string, number]>> {
  const lines = await scene.json<Failed>(['failures']);
  return Object.fromEntries(lines.map(({ id, code, attempts }) => [id, [code, attempts]]));
}

describe('vlmo queue', { timeout: 600_000 }, () => {
  test('pause: no chunk is taken, and searches go on; resume: all is done', async (t) => {
    await using scene = await openScene(t, suite);
    await vlmo(['index', suite.mixed, '--index', scene.index, '--model', suite.model]);
    assert.deepEqual(await scene.json(['queue', 'pause']), [{ paused: true }]);
    const { run } = await scene.submit(suite.mixed);
    await readLog(scene.worker()).until('taking jobs');
    const [answer] = await scene.json<{ hits: unknown[] }>(['search', 'red 1', '--queued', '-k', '3']);
    assert.equal(answer?.hits.length, 3);
    const [standing] = await scene.json<Standing>(['status', run]);
    assert.deepEqual([standing?.waiting, standing?.workers], [GOOD + BAD, 1]);
    assert.match(
      (await vlmo(['status', '--index', scene.index], scene)).stdout,
      /^Queue \(paused\): jobs 10 waiting/m,
    );
    assert.deepEqual(await scene.json(['queue', 'resume']), [{ paused: false }]);
    assert.equal((await scene.complete(run)).skipped, GOOD);
  });

  test('drain: what waits is taken away and its runs are cancelled; the source can be submitted again', async (t) => {
    await using scene = await openScene(t, suite);
    const first = await scene.submit(suite.good);
    const second = await scene.submit(suite.mixed, ['--priority', 'bulk']);
    const [drained] = await scene.json<{ jobs: number; runs: string[] }>(['queue', 'drain']);
    assert.equal(drained?.jobs, 19);
    assert.deepEqual(drained?.runs.toSorted(), [first.run, second.run].sort());
    const standings = await scene.json<Standing>(['status']);
    assert.deepEqual(
      standings.map(({ state, seen, waiting }) => [state, seen, waiting]),
      [
        ['cancelled', GOOD, 0],
        ['cancelled', GOOD + BAD, 0],
      ],
    );
    const { waiting } = await (await scene.queues()).chunks.getJobCounts('prioritized', 'waiting');
    assert.equal(waiting, 0);
    const again = await scene.submit(suite.good);
    assert.deepEqual([again.added, again.resumed], [9, false]);
    scene.worker();
    assert.equal((await scene.complete(again.run)).stored, GOOD);
  });

  test('retry-failed: tries what is listed again, counts the attempts, and what is mended is gone', async (t) => {
    await using scene = await openScene(t, suite);
    const folder = await temporaryFolder(t);
    await put(folder, 'list.jsonl', '{"image":"late.png"}\n{"image":"broken.png"}');
    await put(folder, 'broken.png', 'no picture');
    const { run } = await scene.submit(join(folder, 'list.jsonl'));
    scene.worker();
    await scene.complete(run);
    assert.deepEqual(await failures(scene), {
      'late.png': ['ITEM_NOT_FOUND', 1],
      'broken.png': ['IMAGE_INVALID', 1],
    });
    const retry = async (items: number): Promise<RunRecord> => {
      const [retried] = await scene.json<{ run: string; items: number; jobs: number }>([
        'queue',
        'retry-failed',
      ]);
      assert.deepEqual([retried?.items, retried?.jobs], [items, 0]);
      return scene.complete(retried?.run ?? '');
    };
    assert.equal((await retry(2)).failed, 2);
    assert.deepEqual(await failures(scene), {
      'late.png': ['ITEM_NOT_FOUND', 2],
      'broken.png': ['IMAGE_INVALID', 2],
    });
    await put(folder, 'late.png', await drawPicture(1));
    const half = await retry(2);
    assert.deepEqual([half.stored, half.failed], [1, 1]);
    assert.deepEqual(await failures(scene), { 'broken.png': ['IMAGE_INVALID', 3] });
    await put(folder, 'broken.png', await drawPicture(2));
    assert.equal((await retry(1)).stored, 1);
    assert.deepEqual(await failures(scene), {});
    const [empty] = await scene.json<{ items: number }>(['queue', 'retry-failed']);
    assert.equal(empty?.items, 0);
  });

  test('an item that may do better later is tried again by itself, with its attempts in the list meanwhile', async (t) => {
    await using scene = await openScene(t, suite);
    const folder = await temporaryFolder(t);
    await put(folder, 'list.jsonl', '{"image":"busy.png"}\n{"image":"good.png"}');
    await put(folder, 'good.png', await drawPicture(1));
    // A folder cannot be read as a file.
    await mkdir(join(folder, 'busy.png'));
    const { run } = await scene.submit(join(folder, 'list.jsonl'));
    scene.worker();
    const { failures: table } = await scene.store();
    await until(
      () => table.find('default', [itemKey(join(folder, 'list.jsonl'), 'image', 'busy.png')]),
      ([failure]) => (failure?.attempts ?? 0) >= 2,
    );
    assert.equal((await failures(scene))['busy.png']?.[0], 'ITEM_UNREADABLE');
    const [standing] = await scene.json<Standing>(['status', run]);
    assert.deepEqual([standing?.state, standing?.waiting], ['running', 2]);
    await rmdir(join(folder, 'busy.png'));
    await put(folder, 'busy.png', await drawPicture(2));
    const done = await scene.complete(run);
    assert.deepEqual([done.stored, done.failed], [2, 0]);
    assert.deepEqual(await failures(scene), {});
  });

  test('clean: jobs that are over are forgotten, and nothing of the index', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.good);
    const { chunks } = await scene.queues();
    await chunks.add('chunk', { items: 'none' }, { jobId: 'malformed' });
    scene.worker();
    await scene.complete(run);
    await until(
      () => chunks.getJobCounts('completed', 'failed'),
      ({ completed, failed }) => completed === 9 && failed === 1,
    );
    const { stdout } = await vlmo(['status', '--index', scene.index], scene);
    assert.match(stdout, /^ {2}job malformed failed: Cannot take job: expected "items" .*\[JOB_INVALID\]$/m);
    assert.deepEqual(await scene.json(['queue', 'clean']), [{ completed: 9, failed: 1 }]);
    assert.deepEqual(await chunks.getJobCounts('completed', 'failed'), { completed: 0, failed: 0 });
    const [standing] = await scene.json<Standing>(['status', run]);
    assert.deepEqual([standing?.state, standing?.stored], ['complete', GOOD]);
  });
});
