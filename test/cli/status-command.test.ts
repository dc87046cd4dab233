import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { collect } from '../pipeline/pipeline-fixture.ts';
import { result } from '../pipeline/queued-fixture.ts';
import { ended, startVlmo, vlmo } from './cli-fixture.ts';
import type { Standing } from './queue-fixture.ts';
import { GOOD, openScene, startSuite } from './queue-suite.ts';

const suite = await startSuite({ after });
const NOWHERE = { REDIS_URL: 'unix:///nowhere/redis.sock' };

/** Settles so many chunks of a run, as a worker would that has done them. */
async function settle(store: Store, run: string, count: number, changes = {}): Promise<void> {
  const ids = (await collect(store.ledger.unsettled(run))).slice(0, count);
  await store.ledger.settle(ids.map((id) => result(run, id, changes)));
}

describe('vlmo status', { timeout: 600_000 }, () => {
  test('a run is complete when, and only when, stored + skipped + failed = seen', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.good);
    const store = await scene.store();
    const steps = [
      [0, {}, 'running', 0, 0, 0],
      [7, {}, 'running', 28, 0, 0],
      [1, { stored: 1, failed: 3 }, 'running', 29, 0, 3],
      [1, { stored: 0, skipped: 4 }, 'complete', 29, 4, 3],
    ] as const;
    for (const [count, changes, state, stored, skipped, failed] of steps) {
      await settle(store, run, count, changes);
      const [standing] = await scene.json<Standing & Record<string, unknown>>(['status', run]);
      assert.ok(standing);
      const { seen, waiting } = standing;
      assert.deepEqual(
        [standing.state, seen, standing.stored, standing.skipped, standing.failed, waiting],
        [state, GOOD, stored, skipped, failed, GOOD - stored - skipped - failed],
      );
      const running = state === 'running' && count > 0;
      assert.equal(Number(standing.rate) > 0, running);
      assert.equal(standing.seconds_left !== null, running);
      assert.equal(standing.workers, 0);
      assert.deepEqual([standing.submitted, standing.kind], [true, 'queued']);
    }
  });

  test('pictures and captions are counted apart, as the worker did them', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.mixed);
    scene.worker();
    await scene.complete(run);
    const [standing] = await scene.json<Record<string, unknown>>(['status', run]);
    assert.deepEqual(standing?.images, { seen: 14, stored: 12, skipped: 0, failed: 2 });
    assert.deepEqual(standing.captions, { seen: 24, stored: 24, skipped: 0, failed: 0 });
    assert.deepEqual([standing.seen, standing.stored, standing.failed], [39, 36, 3]);
    const { stdout } = await vlmo(['status', run, '--index', scene.index], scene);
    assert.ok(stdout.includes('36 stored (12 pictures and 24 captions), 0 stored before, 3 failed'), stdout);
  });

  test('every run in the order it was submitted, and the queue, in words', async (t) => {
    await using scene = await openScene(t, suite);
    const first = await scene.submit(suite.good);
    const second = await scene.submit(suite.mixed);
    const { stdout } = await vlmo(['status', '--index', scene.index], scene);
    const lines = stdout.split('\n');
    assert.equal(lines[0], `${first.run}  ${suite.good}`);
    const counts =
      '36 seen (12 pictures and 24 captions), 0 stored, 0 stored before, 0 failed, 36 waiting, 0.0 a second, 0 workers';
    assert.equal(lines[1], `  running: ${counts}`);
    assert.equal(lines[2], `${second.run}  ${suite.mixed}`);
    assert.match(
      lines[3] ?? '',
      /39 seen \(14 pictures, 24 captions and 1 row that cannot be understood\), 0 stored,/,
    );
    assert.match(lines[4] ?? '', /^Queue: jobs 19 waiting, 0 worked on, .* 0 workers alive\.$/);
  });

  test('without Redis it still answers from the index, and says so', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.good);
    const store = await scene.store();
    await settle(store, run, 2);
    const ran = await vlmo(['status', run, '--index', scene.index, '--json'], { env: NOWHERE });
    assert.equal(ran.code, 0, ran.stderr);
    const standing = JSON.parse(ran.stdout) as Standing;
    assert.deepEqual([standing.stored, standing.waiting, standing.workers], [8, 28, null]);
    assert.match(ran.stderr, /^Cannot reach Redis at .*\nWhat follows is what the index itself knows\.\n$/);
    await settle(store, run, 7);
    const watched = await vlmo(['status', run, '--index', scene.index, '--watch', '--json'], {
      env: NOWHERE,
    });
    assert.equal((JSON.parse(watched.stdout) as Standing).state, 'complete');
  });

  test('--watch ends with the run', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.mixed);
    const one = startVlmo(['status', run, '--index', scene.index, '--watch', '--json'], scene);
    const all = startVlmo(['status', '--index', scene.index, '--watch', '--json'], scene);
    scene.worker();
    const [ofOne, ofAll] = await Promise.all([ended(one), ended(all)]);
    const last = JSON.parse(ofOne.stdout) as Standing;
    assert.deepEqual([last.state, last.failed, ofOne.code], ['complete', 3, 2], ofOne.stderr);
    const lines = ofAll.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Standing);
    assert.deepEqual([lines.at(-1)?.state, ofAll.code], ['complete', 0], ofAll.stderr);
    for (const { seen, stored, skipped, failed, waiting, state } of lines) {
      assert.equal(stored + skipped + failed + waiting, seen);
      if (waiting > 0) assert.equal(state, 'running');
    }
  });

  test('no run of this id: RUN_NOT_FOUND; nothing submitted: it says so', async (t) => {
    await using scene = await openScene(t, suite);
    await (await openStore(scene.index, { create: true })).close();
    const none = await vlmo(['status', '--index', scene.index], scene);
    assert.match(none.stdout, /^Nothing was submitted to this index\.\nQueue: /);
    const { code, stdout, stderr } = await vlmo(['status', 'nobody', '--index', scene.index], scene);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^vlmo: Cannot find run "nobody": expected .*\[RUN_NOT_FOUND\]\n$/);
  });
});
