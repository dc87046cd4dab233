import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { SearchRequest } from '#search/request.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { DEMO_MODEL, drawFirstScenes } from '../search/demo-scenes.ts';

const folder = await temporaryFolder({ after });
const SMALL = { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 } as const;
const COUNT = 60;
let index: OpenIndex;

before(async () => {
  const pictures = join(folder, 'scenes');
  await mkdir(pictures);
  const scenes = await drawFirstScenes(pictures, COUNT);
  for (const { path, caption } of scenes) await writeFile(path.replace('.png', '.txt'), caption);
  index = await openIndex(join(folder, 'index'), { ...SMALL, create: true, model: DEMO_MODEL });
  await index.index(pictures);
});

after(() => index.close());

const ASKED = { text: 'two red apples', k: 5, rerank: 10 } satisfies SearchRequest;

function logit(p: number): number {
  return Math.log(p / (1 - p));
}

describe('calibrate', { timeout: 300_000 }, () => {
  test('fits the match of a real model; searches and matches have it from then on, their order as it was', async () => {
    const before = await index.search(ASKED);
    assert.equal(before.calibrated, false);
    const image = before.hits[0]?.uri ?? assert.fail();
    const [raw] = await index.match({ image, texts: [ASKED.text] });
    assert.equal(raw?.calibrated, false);

    const { a, b, positives, negatives, errors } = await index.calibrate({ sample: COUNT });
    assert.ok(a > 0);
    assert.ok(positives >= 20 && negatives === 8 * positives, `${positives} ${negatives}`);
    assert.deepEqual(
      errors.map(({ wrongs }) => wrongs),
      [1, 50],
    );

    const now = await index.search(ASKED);
    assert.equal(now.calibrated, true);
    const ranks = ({ hits }: typeof now) => hits.map(({ id, score }) => [id, score.toFixed(3)]);
    assert.deepEqual(ranks(now), ranks(before));
    for (const [i, { match }] of now.hits.entries()) {
      const odds = logit(before.hits[i]?.match ?? Number.NaN);
      assert.ok(Math.abs(logit(match ?? Number.NaN) - (a * odds + b)) < 0.01, `${match}`);
    }
    const [calibrated] = await index.match({ image, texts: [ASKED.text] });
    assert.equal(calibrated?.calibrated, true);
    assert.ok(Math.abs(logit(calibrated?.match ?? 0) - (a * logit(raw?.match ?? 0) + b)) < 0.01);
    // Without --rerank there is no match to call anything.
    assert.equal((await index.search({ text: 'a' })).calibrated, false);
  });

  test('minMatch is of the calibrated match, and another opened index has it too', async () => {
    await using other = await openIndex(index.folder, SMALL);
    const { hits } = await other.search({ ...ASKED, k: 10 });
    const least = ((hits[4]?.match ?? 0) + (hits[5]?.match ?? 0)) / 2;
    const kept = await other.search({ ...ASKED, k: 10, minMatch: least });
    const expected = hits.filter(({ match }) => (match ?? 0) >= least).map(({ id }) => id);
    assert.deepEqual(
      kept.hits.map(({ id }) => id),
      expected,
    );
  });

  test('too few pairs are refused, and what was kept stays', async () => {
    await assert.rejects(
      index.calibrate({ sample: 30 }),
      vlmoError('CALIBRATION_UNSUITABLE', 'expected 40 captions of pictures and more, received 30'),
    );
    assert.equal((await index.search(ASKED)).calibrated, true);
  });
});
