import assert from 'node:assert/strict';
import test from 'node:test';
import { Queue } from 'bullmq';
import { bullOptions, openQueues, queueName } from '#queue/bull-queues.ts';
import { JOB_FORMAT } from '#queue/job.ts';
import { otherJobs } from '#queue/other-formats.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';

const INDEX = 'a'.repeat(32);

test('otherJobs counts what waits for workers of other versions, and not what is of this one', async () => {
  await using redis = await startTestRedis();
  const queues = openQueues(redis.client, INDEX);
  const options = bullOptions(redis.client, INDEX);
  const old = new Queue(queueName('chunks', 1), options);
  const later = new Queue(queueName('queries', JOB_FORMAT + 1), options);
  try {
    assert.equal(old.name, 'chunks');
    await queues.chunks.add('chunk', {});
    assert.deepEqual(await otherJobs(queues), []);
    await old.add('chunk', {});
    await old.add('chunk', {}, { priority: 3 });
    await later.add('search', {}, { delay: 60_000 });
    assert.deepEqual(await otherJobs(queues), [
      { format: 1, jobs: 2 },
      { format: JOB_FORMAT + 1, jobs: 1 },
    ]);
  } finally {
    await old.close();
    await later.close();
    await queues.close();
  }
});
