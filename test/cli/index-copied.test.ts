import assert from 'node:assert/strict';
import { cp, rename, rm } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { GOOD, openScene, readLog, startSuite, until } from './queue-suite.ts';

const suite = await startSuite({ after });

describe('a copy of an index', { timeout: 900_000 }, () => {
  test("neither asks nor takes the original's jobs, and goes on with an id of its own", async (t) => {
    await using scene = await openScene(t, suite);
    const { env, index } = scene;
    const copy = `${index}-copy`;
    const first = await scene.submit(suite.good);
    const log = readLog(scene.worker());
    await scene.complete(first.run);
    await cp(index, copy, { recursive: true });
    const refused = [
      ['search', 'red', '--queued', '--index', copy],
      ['submit', suite.mixed, '--index', copy],
      ['queue', 'drain', '--index', copy],
      ['worker', '--index', copy],
    ];
    const ran = await Promise.all(refused.map((args) => vlmo(args, { env })));
    for (const [i, { code, stderr }] of ran.entries()) {
      assert.equal(code, 1, `${refused[i]}: ${stderr}`);
      assert.match(stderr, /works on another copy of it, ".+"; .+ --new-id \[INDEX_COPIED\]/);
    }
    const { stderr } = await vlmo(['status', '--index', copy], { env });
    assert.match(stderr, /another copy/);
    // A job of a run that only the other one knows comes back unharmed.
    const [id] = (await vlmoJson<{ id: string }>(['doctor', '--new-id', '--index', copy, '--json'])).lines;
    assert.match(id?.id ?? '', /^[0-9a-f]{32}$/);
    const again = ['submit', suite.mixed, '--index', copy, '--json'];
    const [{ run = '' } = {}] = (await vlmoJson<{ run: string }>(again, 0, { env })).lines;
    const worker = startVlmo(['worker', '--index', copy], { env });
    const done = await until(
      async () =>
        (
          await vlmoJson<{ state: string; seen: number }>(['status', run, '--index', copy, '--json'], 0, {
            env,
          })
        ).lines[0],
      (standing) => standing?.state === 'complete',
    );
    assert.equal(done?.seen, GOOD + 3);
    worker.kill('SIGKILL');
    await ended(worker);
    assert.deepEqual(
      log.lines.filter((line) => line.includes('"level":50')),
      [],
    );
  });

  test('put in place of the original, goes on', async (t) => {
    await using scene = await openScene(t, suite);
    const { env, index } = scene;
    const { run } = await scene.submit(suite.good);
    const worker = scene.worker();
    await scene.complete(run);
    worker.kill('SIGTERM');
    await ended(worker);
    const backup = `${index}-backup`;
    await cp(index, backup, { recursive: true });
    await rm(index, { recursive: true });
    await rename(backup, index);
    scene.worker();
    const found = await vlmo(['search', 'red', '--queued', '--index', index, '--json'], { env });
    assert.equal(found.code, 0, found.stderr);
  });

  test('a job whose run the ledger does not have is put back as it is, until it is taken away', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.good);
    const { chunks } = await scene.queues();
    const [known] = await chunks.getJobs(['prioritized'], 0, 0);
    const data = { ...(known?.data as object), run: '01234567-89ab-4cde-8f01-23456789abcd' };
    await chunks.add('chunk', data, { jobId: 'of another copy' });
    scene.worker();
    await scene.complete(run);
    const job = await until(
      () => chunks.getJob('of another copy'),
      (found) => found?.progress !== undefined && Object.hasOwn(found.progress as object, 'waits'),
    );
    assert.deepEqual([job?.data, job?.attemptsMade, await job?.isFailed()], [data, 0, false]);
    assert.equal((await scene.json<{ jobs: number }>(['queue', 'drain']))[0]?.jobs, 1);
  });
});
