import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openIndex } from '#service/open-index.ts';
import { openStore } from '#store/lance/open-store.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures } from '../pipeline/pictures.ts';

test('openIndex: runs of both precisions share a generation, and each record has its own', async () => {
  const folder = await temporaryFolder({ after });
  const settings = {
    device: 'cpu',
    inferenceWorkers: 1,
    decodeThreads: 1,
    model: await importTiny(folder),
  } as const;
  const kept: string[] = [];
  for (const [n, precision] of (['f32', 'f16'] as const).entries()) {
    const pictures = join(folder, `pictures ${precision}`);
    await mkdir(pictures);
    await drawPictures(pictures, n, n + 1);
    const index = await openIndex(join(folder, 'index'), { ...settings, precision, create: true });
    const { generation, replaced, run, stored } = await index.index(pictures);
    await index.close();
    assert.equal(stored, 1);
    assert.equal(replaced, undefined);
    await using store = await openStore(join(folder, 'index'), { create: false });
    const record = await store.runs.find(run);
    assert.deepEqual(JSON.parse(record?.options ?? ''), { precision });
    kept.push(generation.name);
  }
  assert.equal(kept[0], kept[1]);
});
