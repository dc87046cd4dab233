import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { QueueEvents } from 'bullmq';
import { bullOptions, QUERIES } from '#queue/bull-queues.ts';
import { pictureName } from '../pipeline/pictures.ts';
import { vlmo } from './cli-fixture.ts';
import { GOOD, openScene, readLog, startSuite, until } from './queue-suite.ts';
import { readTables } from './tables.ts';

const suite = await startSuite({ after });

describe('jobs that another program has put into Redis', { timeout: 600_000 }, () => {
  test('chunk jobs: what is malformed fails at once and says why, what is right is done', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.good);
    const { chunks } = await scene.queues();
    const image = { kind: 'image', id: 'x.png', uri: join(suite.pictures, pictureName(1)) };
    const malformed: Readonly<Record<string, readonly [data: unknown, field: string, received: string]>> = {
      text: ['a text', 'its data', '"a text"'],
      nothing: [{}, '"items"', 'nothing'],
      'no-items': [{ items: [] }, '"items"', '[]'],
      'no-uri': [{ items: [{ kind: 'image', id: 'x' }] }, '"items.0.uri"', 'nothing'],
      kind: [{ items: [{ kind: 'film', id: 'x', uri: 'x' }] }, '"items.0.kind"', '"film"'],
      priority: [{ items: [image], priority: 1 }, '"priority"', '1'],
      model: [{ items: [image], model: '/etc' }, '"model"', '"/etc"'],
      run: [{ items: [image], run: 'nobody' }, '"run"', '"nobody"'],
      collection: [{ items: [image], collection: '../up' }, '"collection"', '"../up"'],
      'no-collection': [{ items: [image], collection: 'none' }, '"collection"', '"none"'],
      generation: [{ items: [image], generation: 'default.000' }, '"generation"', '"default.000"'],
    };
    for (const [jobId, [data]] of Object.entries(malformed))
      await chunks.add('c', data, { jobId, attempts: 5 });
    await chunks.add('c', { items: [image] }, { jobId: 'right' });
    const log = readLog(scene.worker());
    const done = await scene.complete(run);
    assert.deepEqual([done.seen, done.stored, done.failed], [GOOD, GOOD, 0]);
    const over = await until(
      () => chunks.getJobCounts('completed', 'failed', 'delayed'),
      ({ completed, failed }) => completed === 10 && failed === Object.keys(malformed).length,
    );
    assert.equal(over.delayed, 0);
    for (const [id, [, field, received]] of Object.entries(malformed)) {
      const job = await chunks.getJob(id);
      assert.equal(job?.attemptsMade, 1, `${id} is not tried again`);
      const reason = job?.failedReason ?? '';
      assert.match(reason, /^Cannot take job: expected .+, received .+ \[JOB_INVALID\]$/s);
      assert.ok(
        reason.includes(`expected ${field}`) && reason.endsWith(`received ${received} [JOB_INVALID]`),
        reason,
      );
    }
    const right = await chunks.getJob('right');
    const kinds = {
      images: { stored: 1, skipped: 0, failed: 0 },
      captions: { stored: 0, skipped: 0, failed: 0 },
    };
    assert.deepEqual(right?.returnvalue, { stored: 1, skipped: 0, failed: 0, kinds });
    assert.deepEqual(right?.progress, { items: 1, stored: 1, skipped: 0, failed: 0, kinds });
    const ids = (await readTables(scene.index)).images.map(({ id }) => id);
    assert.deepEqual([ids.length, ids.filter((id) => id === 'x.png').length], [GOOD / 3 + 1, 1]);
    await log.until('Job \\"kind\\" is refused');
  });

  test('queries: what is malformed fails at once and says why, what is right is answered', async (t) => {
    await using scene = await openScene(t, suite);
    await vlmo(['index', suite.good, '--index', scene.index, '--model', suite.model]);
    const { queries } = await scene.queues();
    const { id } = await scene.store();
    const events = new QueueEvents(QUERIES, bullOptions(suite.redis.client, id));
    await events.waitUntilReady();
    scene.worker();
    for (const [data, field] of [
      [{ kind: 'search' }, 'its data'],
      [{ kind: 'dance' }, '"kind"'],
      [{ kind: 'search', text: 'red', k: 0 }, '"k"'],
      [{ kind: 'embed', texts: [] }, '"texts"'],
    ] as const) {
      const job = await queries.add('q', data, { attempts: 5 });
      const expected = new RegExp(
        `^Error: Cannot take job: expected ${field} to be right .+, received .+ \\[JOB_INVALID\\]$`,
      );
      await assert.rejects(job.waitUntilFinished(events), (error) => expected.test(String(error)));
    }
    const right = await queries.add('q', { kind: 'search', text: 'red 1', k: 2 });
    const answer = (await right.waitUntilFinished(events)) as { hits: unknown[] };
    assert.equal(answer.hits.length, 2);
    await events.close();
  });
});
