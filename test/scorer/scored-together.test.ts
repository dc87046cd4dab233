import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { resolveDevice } from '#devices/device.ts';
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import { parseFilter } from '#search/filter/filter.ts';
import type { ImageRecord, VectorTable } from '#store/contract.ts';
import { seededRandom } from '../fixtures/files.ts';
import {
  closeAfter,
  generationSpec,
  imageRow,
  temporaryStore,
  unitVectors,
} from '../store/lance/store-fixture.ts';

const D = 16;
const ROWS = 700;
const random = seededRandom(11);

async function scene(t: TestContext) {
  const { images } = await (await temporaryStore(t)).openGeneration(generationSpec({ dimensions: D }));
  const rows = Array.from({ length: ROWS }, (_, i) => imageRow(`p${i}`, { width: i % 5 }));
  const vectors = unitVectors(ROWS, D, random);
  // Ties across the boundary of every k.
  for (let row = 500; row < ROWS; row++) vectors.copyWithin(row * D, (row % 9) * D, (row % 9) * D + D);
  await images.upsert({ rows, vectors });
  let runs = 0;
  const counted: VectorTable<ImageRecord> = {
    ...images,
    version: () => {
      runs += 1;
      return images.version();
    },
  };
  const options = { device: await resolveDevice('cpu'), dimensions: D };
  const scorer = closeAfter(t, createResidentScorer(counted, options));
  await scorer.nearest(unitVectors(1, D, random), { k: 1 });
  return { images, scorer, runs: () => runs };
}

describe('createResidentScorer, asked by many at a time', () => {
  test('scores them together, and each has what a lone query has', async (t) => {
    const { images, scorer, runs } = await scene(t);
    const before = runs();
    const filters = [undefined, undefined, parseFilter('width = 3', 'image')];
    const asked = Array.from({ length: 60 }, (_, i) => ({
      query: unitVectors(1, D, random),
      options: { k: [1, 10, 200, 600][i % 4] as number, where: filters[i % 3] },
    }));
    const found = await Promise.all(asked.map(({ query, options }) => scorer.nearest(query, options)));
    assert.ok(runs() - before <= 6, `one run for each filter and size of k, not ${runs() - before}`);
    for (const [i, { query, options }] of asked.entries())
      assert.deepEqual(found[i], await images.nearest(query, options), `query ${i}`);
  });

  test('one that is aborted leaves, and harms nobody', async (t) => {
    const { images, scorer } = await scene(t);
    const stop = new AbortController();
    const query = unitVectors(1, D, random);
    const first = scorer.nearest(query, { k: 3, signal: stop.signal });
    const gone = scorer.nearest(query, { k: 3, signal: stop.signal });
    const stays = scorer.nearest(query, { k: 3 });
    stop.abort(new Error('changed my mind'));
    await assert.rejects(first, { message: 'changed my mind' });
    await assert.rejects(gone, { message: 'changed my mind' });
    assert.deepEqual(await stays, await images.nearest(query, { k: 3 }));
    await assert.rejects(scorer.nearest(query, { k: 3, signal: stop.signal }), {
      message: 'changed my mind',
    });
  });

  test('single queries go before the many of a retrieval that wait', async (t) => {
    const { scorer } = await scene(t);
    const order: string[] = [];
    const note = (name: string) => () => order.push(name);
    await Promise.all([
      scorer.nearestIds(unitVectors(300, D, random), { k: 5 }).then(note('first')),
      scorer.nearestIds(unitVectors(300, D, random), { k: 5 }).then(note('bulk')),
      scorer.nearestIds(unitVectors(1, D, random), { k: 5 }).then(note('lone')),
    ]);
    assert.deepEqual(order, ['first', 'lone', 'bulk']);
  });
});
