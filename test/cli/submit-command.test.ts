import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { temporaryFolder } from '../fixtures/files.ts';
import { ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import type { Standing } from './queue-fixture.ts';
import { BAD, GOOD, openScene, readLog, type Scene, startSuite, until } from './queue-suite.ts';
import { assertSame, readTables } from './tables.ts';

const suite = await startSuite({ after });

function flags({ index }: Scene): string[] {
  return ['--index', index, '--model', suite.model, '--chunk-items', '4'];
}

describe('vlmo submit', { timeout: 600_000 }, () => {
  test('prints the id of the run, and what to do next beside it', async (t) => {
    await using scene = await openScene(t, suite);
    const { code, stdout, stderr } = await vlmo(['submit', suite.good, ...flags(scene)], scene);
    assert.equal(code, 0, stderr);
    const [, run] =
      /^Run ([0-9a-f-]{36}): 12 pictures and 24 captions in 9 jobs, 9 of them new in the queue\.\n$/.exec(
        stdout,
      ) ?? [];
    assert.ok(run, stdout);
    assert.match(stderr, new RegExp(`vlmo worker --index ${scene.index}\\n.*vlmo status ${run} --index`));
    const [standing] = await scene.json<Standing>(['status', run]);
    assert.deepEqual([standing?.run, standing?.seen, standing?.waiting], [run, GOOD, GOOD]);
  });

  test('the same source twice: not queued twice while it waits, skipped when it is done', async (t) => {
    await using scene = await openScene(t, suite);
    const first = await scene.submit(suite.good);
    const { run } = first;
    assert.deepEqual(first, {
      run,
      seen: GOOD,
      ...{ images: 12, captions: 24 },
      jobs: 9,
      added: 9,
      resumed: false,
      complete: true,
      gone: { images: 0, captions: 0, failures: 0 },
      pruned: false,
      truncated: 0,
      left_out: {},
    });
    const again = await scene.submit(suite.good);
    assert.deepEqual(again, {
      run,
      seen: GOOD,
      ...{ images: 12, captions: 24 },
      jobs: 9,
      added: 0,
      resumed: true,
      complete: true,
      gone: { images: 0, captions: 0, failures: 0 },
      pruned: false,
      truncated: 0,
      left_out: {},
    });
    scene.worker();
    const done = await scene.complete(run);
    assert.deepEqual([done.stored, done.skipped], [GOOD, 0]);
    const later = await scene.submit(suite.good);
    assert.notEqual(later.run, run);
    const skipped = await scene.complete(later.run);
    assert.deepEqual([skipped.seen, skipped.stored, skipped.skipped], [GOOD, 0, GOOD]);
  });

  test('--wait ends with the code of vlmo index: 2 where items failed, 0 where none did; the same rows', async (t) => {
    await using scene = await openScene(t, suite);
    const direct = join(await temporaryFolder(t), 'index');
    for (const [source, code, failed] of [
      [suite.mixed, 2, BAD],
      [suite.good, 0, 0],
    ] as const) {
      const indexed = await vlmo(['index', source, '--index', direct, '--model', suite.model]);
      assert.equal(indexed.code, code, indexed.stderr);
      const waiting = startVlmo(['submit', source, ...flags(scene), '--wait', '--json'], scene);
      if (code === 2) {
        await until(
          () => vlmo(['status', '--index', scene.index], scene),
          (ran) => ran.code === 0,
        );
        scene.worker();
      }
      const ran = await ended(waiting);
      assert.equal(ran.code, code, ran.stderr);
      const standing = JSON.parse(ran.stdout) as Standing;
      assert.deepEqual(
        [standing.state, standing.seen, standing.stored + standing.skipped, standing.failed],
        ['complete', GOOD + failed, GOOD, failed],
      );
      assertSame(await readTables(scene.index), await readTables(direct));
    }
  });

  test('--wait without a worker says so; Ctrl-C leaves with 130, and the run goes on', async (t) => {
    await using scene = await openScene(t, suite);
    const waiting = startVlmo(['submit', suite.good, ...flags(scene), '--wait'], scene);
    let said = '';
    await new Promise<void>((resolve) => {
      waiting.stderr.on('data', (piece: Buffer) => {
        said += piece.toString();
        if (said.includes('No worker is running')) resolve();
      });
    });
    waiting.kill('SIGINT');
    const { code, stderr } = await ended(waiting);
    assert.equal(code, 130, stderr);
    const [, run = ''] = /The run goes on without this command: vlmo status (\S+) --index/.exec(stderr) ?? [];
    scene.worker();
    assert.equal((await scene.complete(run)).stored, GOOD);
  });

  test('no Redis: cannot run, and says what to set', async (t) => {
    await using scene = await openScene(t, suite, { REDIS_URL: 'unix:///nowhere/redis.sock' });
    const impatient = ['--redis-patience', '1'];
    const { code, stdout, stderr } = await vlmo(['submit', suite.good, ...flags(scene), ...impatient], scene);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^vlmo: Cannot use Redis: .*Cannot reach Redis at .*set REDIS_URL, .*--embedded-redis.*\[REDIS_UNREACHABLE\]$/m,
    );
  });

  test('--embedded-redis: a queue of the index itself, from submit to the end, and no server stays', async (t) => {
    await using scene = await openScene(t, suite, {});
    const embedded = ['--embedded-redis'];
    const { run, added } = await scene.submit(suite.good, embedded);
    assert.equal(added, 9);
    // Its jobs have outlived the server, which ended with the command.
    const again = await scene.submit(suite.good, embedded);
    assert.deepEqual([again.run, again.added], [run, 0]);
    const worker = scene.worker(embedded);
    await readLog(worker).until('taking jobs');
    const args = ['submit', suite.mixed, ...flags(scene), '--wait', '--json', ...embedded];
    const { lines } = await vlmoJson<Standing>(args, 2);
    assert.deepEqual([lines[0]?.state, lines[0]?.seen, lines[0]?.failed], ['complete', GOOD + BAD, BAD]);
    const [first] = await scene.json<Standing>(['status', run, ...embedded]);
    assert.deepEqual([first?.state, first?.workers], ['complete', 1]);
    worker.kill('SIGTERM');
    assert.equal((await ended(worker)).code, 0);
    await assert.rejects(access(join(scene.index, 'redis', 'redis.sock')), { code: 'ENOENT' });
  });
});
