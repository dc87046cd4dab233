import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Hit } from '#search/request.ts';
import { openIndex } from '#service/open-index.ts';
import { BLIP, CLIP, EXPECTED, expectedPair, IMAGES } from '../model/blip/blip-fixture.ts';
import { serve } from '../server/server-fixture.ts';
import { assertCannotRun, vlmo } from './cli-fixture.ts';
import { openScene, readLog, startSuite } from './queue-suite.ts';

const suite = await startSuite({ after });
const RERANK = ['--rerank', '10', '--device', 'cpu'];
const [text = ''] = EXPECTED.texts;

interface Page {
  readonly hits: readonly Hit[];
}

/** Those of the pictures that answers are known of are in the order of the original's logits and their cosines. */
function assertReread([page]: readonly Page[]): void {
  const hits = (page?.hits ?? []).filter(({ id }) => EXPECTED.images.includes(id));
  assert.equal(hits.length, EXPECTED.images.length);
  for (const { id, score, cosine, match } of hits) {
    const [apart, together] = expectedPair(id, text).itm_logits_original;
    assert.ok(Math.abs(score - (together + cosine)) < 1e-3, `${id}: ${score}`);
    assert.ok(Math.abs((match ?? -1) - 1 / (1 + Math.exp(apart - together))) < 1e-3, `${id}: ${match}`);
  }
}

describe('--reranker', { timeout: 300_000 }, () => {
  test('search re-ranks a collection of CLIP by BLIP, here, on a worker and over HTTP', async (t) => {
    await using scene = await openScene(t, suite);
    const indexed = await vlmo(['index', IMAGES, '--index', scene.index, '--model', CLIP, '--device', 'cpu']);
    assert.equal(indexed.code, 0, indexed.stderr);
    const here = await scene.json<Page>(['search', text, ...RERANK, '--reranker', BLIP]);
    assertReread(here);
    // The worker has its own reranker; a request names none.
    const options = [
      '--device',
      'cpu',
      '--reranker',
      BLIP,
      '--reranker-cache',
      join(scene.index, '..', 'kept'),
    ];
    const worker = scene.worker(options);
    await readLog(worker).until('taking jobs');
    const queued = await scene.json<Page>(['search', text, '--rerank', '10', '--queued']);
    assertReread(queued);
    const ids = ([page]: readonly Page[]) => page?.hits.map(({ id }) => id);
    assert.deepEqual(ids(queued), ids(here));
    await using index = await openIndex(scene.index, { device: 'cpu', inferenceWorkers: 1, reranker: BLIP });
    const server = await serve(index);
    t.after(() => server.close());
    const asked = await fetch(`${server.url}/v1/search`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text, rerank: 10 }),
    });
    assertReread([(await asked.json()) as Page]);
    const models = (await (await fetch(`${server.url}/v1/models`)).json()) as {
      data: readonly { matches: boolean; reranker: string | null }[];
    };
    assert.deepEqual(
      models.data.map(({ matches, reranker }) => [matches, reranker]),
      [[true, 'blip-itm']],
    );
  });

  test('what cannot be is refused, with what was expected and received', async (t) => {
    await using scene = await openScene(t, suite);
    await vlmo(['index', IMAGES, '--index', scene.index, '--model', CLIP, '--device', 'cpu']);
    const search = ['search', text, '--index', scene.index];
    const received = 'received a dual encoder (clip)';
    await assertCannotRun(
      [...search, ...RERANK, '--reranker', CLIP],
      'MODEL_HEAD_MISSING',
      'expected',
      received,
    );
    await assertCannotRun([...search, ...RERANK, '--reranker', IMAGES], 'MODEL_NOT_FOUND', IMAGES);
    await assertCannotRun([...search, '--reranker', BLIP], 'USAGE_INVALID', '--rerank');
    const both = [...search, '--rerank', '10', '--reranker', BLIP, '--queued'];
    await assertCannotRun(both, 'USAGE_INVALID', '--reranker or --queued');
    await assertCannotRun(
      ['serve', '--index', scene.index, '--port', '0', '--device', 'cpu', '--reranker', CLIP],
      'MODEL_HEAD_MISSING',
      received,
    );
  });
});
