import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { createQueryClient, type QueryClient } from '#queue/query-client.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { cleanup, openScene, type Scene, sharedRedis, until } from './queue-fixture.ts';

const redis = await sharedRedis();
const ANSWER = { hits: [], cursor: null, approximate: false, calibrated: false };
const QUERY = { kind: 'search', text: 'a' } as const;

async function openAsker(t: TestContext, { client, indexId }: Scene): Promise<QueryClient> {
  return cleanup(t).use(await createQueryClient(client, indexId));
}

describe('QueryClient.query', () => {
  test('gives what the worker answers, to each what he asked', async (t) => {
    const scene = await openScene(t, redis);
    const asker = await openAsker(t, scene);
    scene.consume({ answerQuery: async (query) => ({ ...ANSWER, cursor: JSON.stringify(query) }) });
    const texts = Array.from({ length: 20 }, (_, i) => `text ${i}`);
    const answers = await Promise.all(texts.map((text) => asker.query({ kind: 'search', text, k: 3 })));
    const full = { kind: 'search', collection: 'default', in: 'images', k: 3, timeoutMs: 30_000 };
    assert.deepEqual(
      answers.map(({ cursor }) => JSON.parse(cursor ?? '') as object),
      texts.map((text) => ({ ...full, text })),
    );
  });

  test('an answer of the first moment is not missed', async (t) => {
    const scene = await openScene(t, redis);
    scene.consume({ answerQuery: async () => ANSWER });
    for (let n = 0; n < 20; n++) {
      await using asker = await createQueryClient(scene.client, scene.indexId);
      assert.deepEqual(await asker.query({ ...QUERY, timeoutMs: 5000 }), ANSWER);
    }
  });

  test('what workers would refuse is refused here, and nothing is asked', async (t) => {
    const scene = await openScene(t, redis);
    const asker = await openAsker(t, scene);
    const refused = asker.query({ kind: 'search', text: 'a', k: 0 });
    await assert.rejects(refused, { code: 'JOB_INVALID', message: /"k"/ });
    assert.deepEqual(await scene.queues.queries.getJobCounts('wait'), { wait: 0 });
  });

  for (const [what, thrown, code, message] of [
    [
      'a known error, by its code',
      new VlmoError('FILTER_INVALID', 'Cannot\nread [it]'),
      'FILTER_INVALID',
      'Cannot\nread [it]',
    ],
    [
      'an error without a code',
      new Error('the disk timed out'),
      ...['QUERY_FAILED', 'Cannot answer query: expected an answer, received the disk timed out'],
    ],
    [
      'a code that this version does not know',
      new Error('news [BRAND_NEW]'),
      ...['QUERY_FAILED', 'Cannot answer query: expected an answer, received news'],
    ],
  ] as const) {
    test(`throws what the worker throws: ${what}`, async (t) => {
      const scene = await openScene(t, redis);
      scene.consume({
        async answerQuery() {
          throw thrown;
        },
      });
      const asker = await openAsker(t, scene);
      await assert.rejects(asker.query(QUERY), { name: 'VlmoError', code, message });
    });
  }

  test('an answer that is none, as of a worker of another version, is QUERY_FAILED', async (t) => {
    const scene = await openScene(t, redis);
    scene.consume({ answerQuery: async () => ({ ...ANSWER, hits: [{ id: 'a' }] }) });
    const asker = await openAsker(t, scene);
    const message = 'Cannot answer query: expected "hits.0.rank" to be right (number), received nothing';
    await assert.rejects(asker.query(QUERY), { code: 'QUERY_FAILED', message });
  });

  const TIMED_OUT = {
    code: 'QUERY_TIMEOUT',
    message:
      'Cannot answer query: expected it from a worker within 200 ms, received none; is a worker running on this index?',
  };

  test('without a worker it ends by its time-out, and the query is taken back', async (t) => {
    const scene = await openScene(t, redis);
    const asker = await openAsker(t, scene);
    await assert.rejects(asker.query({ ...QUERY, timeoutMs: 200 }), TIMED_OUT);
    assert.deepEqual(await scene.queues.queries.getJobCounts('wait', 'active'), { wait: 0, active: 0 });
  });

  test('with a worker that is too slow it ends by its time-out', async (t) => {
    const scene = await openScene(t, redis);
    const asker = await openAsker(t, scene);
    const gate = Promise.withResolvers<object>();
    scene.consume({ answerQuery: () => gate.promise });
    await assert.rejects(asker.query({ ...QUERY, timeoutMs: 200 }), TIMED_OUT);
    gate.resolve({});
  });

  test('while Redis is away it ends by its time-out, and goes on when Redis is back', {
    timeout: 60_000,
  }, async (t) => {
    const own = cleanup(t).use(await startTestRedis());
    const scene = await openScene(t, own);
    const asker = await openAsker(t, scene);
    scene.consume({ answerQuery: async () => ANSWER });
    assert.deepEqual(await asker.query(QUERY), ANSWER);
    await own.kill9();
    await until(
      () => scene.client.status,
      (status) => status !== 'ready',
    );
    await assert.rejects(asker.query({ ...QUERY, timeoutMs: 200 }), TIMED_OUT);
    await own.start();
    assert.deepEqual(await asker.query(QUERY), ANSWER);
  });
});
