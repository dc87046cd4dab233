import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readParquet } from '#parquet.ts';
import { HISTOGRAM_STEPS, scorePairs } from '#search/batch/pairs.ts';
import {
  captionRow,
  generationSpec,
  imageRow,
  temporaryFolder,
  temporaryStore,
} from '../../store/lance/store-fixture.ts';

test('scorePairs: the cosine of each caption and its own picture, marked by the threshold, in a histogram', async (t) => {
  const store = await temporaryStore(t);
  const tables = await store.openGeneration(generationSpec({ dimensions: 2 }));
  await tables.images.upsert({ rows: [imageRow('a'), imageRow('b')], vectors: Float32Array.of(1, 0, 0, 1) });
  const captions = [
    captionRow('a#0', { imageId: 'a', caption: 'alike' }),
    captionRow('a#1', { imageId: 'a', caption: 'across' }),
    captionRow('b#0', { imageId: 'b', caption: 'against' }),
    captionRow('gone', { imageId: 'gone' }),
    captionRow('free', { imageId: null }),
  ];
  await tables.captions.upsert({
    rows: captions,
    vectors: Float32Array.of(1, 0, 0, 1, 0, -1, 1, 0, 1, 0),
  });
  const out = join(await temporaryFolder(t), 'pairs.parquet');
  const asked = { tables, threshold: 0, out, asked: {}, signal: new AbortController().signal };
  const { scored, kept, alone, histogram, isWhole } = await scorePairs(asked);
  assert.deepEqual([scored, kept, alone, isWhole], [5, 2, 2, true]);
  const counts = Object.fromEntries(histogram.flatMap((count, step) => (count > 0 ? [[step, count]] : [])));
  assert.deepEqual(counts, { 0: 1, [HISTOGRAM_STEPS / 2]: 1, [HISTOGRAM_STEPS - 1]: 1 });
  const rows = (await readParquet(out)).map(({ caption_id, score, kept }) => [caption_id, score, kept]);
  assert.deepEqual(rows.sort(), [
    ['a#0', 1, true],
    ['a#1', 0, true],
    ['b#0', -1, false],
    ['free', null, false],
    ['gone', null, false],
  ]);
});
