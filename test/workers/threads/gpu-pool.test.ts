// Runs alone: it owns a device.
import { after, describe, test } from 'node:test';
import { openModel } from '#model/open-model.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { normalise } from '#pictures/preprocess.ts';
import { createInferencePool } from '#workers/threads/pools.ts';
import { seededRandom, temporaryFolder } from '../../fixtures/files.ts';
import { useSoftwareGpu } from '../../fixtures/software-gpu.ts';
import { importTiny } from '../../fixtures/tiny-model.ts';
import { assertClose } from '../../model/vlmo/model-fixture.ts';

useSoftwareGpu();
const TINY = await importTiny(await temporaryFolder({ after }));
const [PICTURES, SIZE] = [2, 3 * 64 * 64];

describe('createInferencePool on WebGPU', () => {
  test('two threads and this one at once: the vectors of the CPU, and the process lives', async () => {
    const model = await openModel(TINY);
    await using cpu = await loadVlmo(model.path, { threads: 1 });
    await using here = await loadVlmo(model.path, { threads: 1, provider: 'webgpu' });
    await using pool = await createInferencePool(model, {
      workers: 2,
      threadsPerWorker: 1,
      provider: 'webgpu',
    });
    const random = seededRandom(11);
    const pixels = new SharedArrayBuffer(PICTURES * SIZE);
    const samples = new Uint8Array(pixels).map(() => 256 * random());
    new Uint8Array(pixels).set(samples);
    const data = new Float32Array(samples.length);
    normalise(samples, model.picture, data);
    const texts = Array.from({ length: 6 }, (_, i) =>
      Array.from({ length: 1 + i }, (_, n) => `red ${i} ${n}`),
    );
    const [images, alone, ...captions] = await Promise.all([
      pool.run({ kind: 'images', pixels, count: PICTURES }),
      here.embedTexts(['a cat']),
      ...texts.map((some) => pool.run({ kind: 'texts', texts: some })),
    ]);
    const batch = { data, dims: [PICTURES, 3, 64, 64] };
    assertClose(images, (await cpu.embedImages(batch)).data, 1e-5, 'pictures');
    assertClose(alone.data, (await cpu.embedTexts(['a cat'])).data, 1e-5, 'a text here');
    for (const [i, some] of texts.entries())
      assertClose(captions[i], (await cpu.embedTexts(some)).data, 1e-5, `texts ${i}`);
  });
});
