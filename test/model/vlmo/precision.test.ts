import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openModel } from '#model/open-model.ts';
import { describePrecision, precisionOn } from '#model/precision.ts';
import { type ModelFolder, openModelFolder } from '#model/vlmo/folder.ts';
import type { Samples } from '#model/vlmo/inputs.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { WEIGHTS_FILE } from '#model/weights.ts';
import { normalise } from '#pictures/preprocess.ts';
import { createInferencePool } from '#workers/threads/pools.ts';
import { readJson, seededRandom } from '../../fixtures/files.ts';
import { type Expected, importFixture, referencePixels, TINY } from './model-fixture.ts';

for (const { name, heads } of TINY) {
  test(`loadVlmo in f16: ${name} stays near the reference's values, whatever its weights are stored in`, async (t) => {
    const expected = await readJson<Expected>(`reference/vlmo-tiny/${name}.expected.json`);
    for (const dtype of ['f32', 'f16'] as const) {
      const { model } = await importFixture(t, `reference/vlmo-tiny/${name}.pt`, { heads, dtype });
      await using vlmo = await loadVlmo(model, { threads: 1, precision: 'f16' });
      const pixels = await referencePixels();
      const images = (await vlmo.embedImages(pixels)).data;
      assertCosines(images, expected.image_embedding, 'image');
      assertCosines((await vlmo.embedTexts(expected.captions)).data, expected.text_embedding, 'text');
      // Else it would have been computed in 32 bits.
      const exact = expected.image_embedding.flat();
      if (dtype === 'f32') assert.ok(images.some((value, i) => Math.abs(value - (exact[i] ?? 0)) > 1e-5));
      for (const [i, [no = 0, yes = 0]] of (expected.itm_logits ?? []).entries()) {
        const { probabilities } = await vlmo.match(pixels, expected.captions);
        assert.ok(Math.abs((probabilities[i] ?? Number.NaN) - 1 / (1 + Math.exp(no - yes))) <= 0.01);
      }
      assert.deepEqual(
        vlmo.proofs.map(({ precision, reason }) => [precision, reason]),
        Array(expected.itm_logits ? 3 : 2).fill(['f16', null]),
      );
    }
  });
}

test('loadVlmo in f16: a model whose weights leave the range of 16 bits runs in f32, and says why', async (t) => {
  const model = await tooLarge(t);
  await using full = await loadVlmo(model, { threads: 1 });
  await using vlmo = await loadVlmo(model, { threads: 1, precision: 'f16' });
  const pixels = await referencePixels(2);
  assert.deepEqual((await vlmo.embedImages(pixels)).data, (await full.embedImages(pixels)).data);
  await vlmo.embedTexts(['a red car']);
  const [image, text] = vlmo.proofs;
  assert.equal(image?.precision, 'f32');
  assert.match(image?.reason ?? '', /expected finite numbers, received NaN/);
  assert.deepEqual([text?.precision, text?.reason], ['f16', null]);
});

test('createInferencePool: in f16 it says what the model computes in, and why in another', async (t) => {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt');
  for (const [folder, expected] of [
    [model, 'f16'],
    [await tooLarge(t), 'f32'],
  ] as const) {
    const options = { workers: 1, threadsPerWorker: 1, precision: 'f16' } as const;
    await using pool = await createInferencePool(await openModel(folder.path), options);
    assert.equal(pool.precision.precision, expected);
    const line = describePrecision(pool.precision);
    assert.equal(line?.startsWith('Precision: f32, because f16'), expected === 'f32' ? true : undefined);
  }
});

test('precisionOn: auto is f16 with CUDA that can, and what is named is taken', () => {
  assert.equal(precisionOn({ provider: 'cuda', hasHalf: true }, 'auto'), 'f16');
  assert.equal(precisionOn({ provider: 'cuda', hasHalf: false }, 'auto'), 'f32');
  assert.equal(precisionOn({ provider: 'webgpu', hasHalf: true }, 'auto'), 'f32');
  assert.equal(precisionOn({ provider: 'cuda', hasHalf: true }, 'f32'), 'f32');
  assert.equal(precisionOn({ provider: 'cpu', hasHalf: false }, 'f16'), 'f16');
});

test('Vlmo.embedImages: samples of 8 bits give the vectors of pixels normalised before, bit by bit', async (t) => {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt');
  await using vlmo = await loadVlmo(model, { threads: 1 });
  const [samples, pixels] = bothForms(model);
  assert.deepEqual((await vlmo.embedImages(samples)).data, (await vlmo.embedImages(pixels)).data);
});

test('Vlmo.embedImages: samples are normalised by the mean and the deviation of each channel', async (t) => {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt');
  const picture = { ...model.picture, mean: [0.48, 0.45, 0.4], std: [0.26, 0.25, 0.27] };
  const other = { ...model, picture };
  await using vlmo = await loadVlmo(other, { threads: 1 });
  const [samples, pixels] = bothForms(other);
  const [received, expected] = [await vlmo.embedImages(samples), await vlmo.embedImages(pixels)];
  const apart = expected.data.map((value, i) => Math.abs(value - (received.data[i] ?? Number.NaN)));
  assert.ok(Math.max(...apart) <= 1e-6, String(Math.max(...apart)));
});

/** Two pictures with every value a sample can have, as they are and normalised. */
function bothForms({ picture }: ModelFolder): readonly [Samples, { data: Float32Array; dims: number[] }] {
  const random = seededRandom(5);
  const dims = [2, 3, 64, 64];
  const data = Uint8Array.from({ length: 2 * 3 * 64 * 64 }, (_, i) => (i < 256 ? i : 256 * random()));
  const normalised = new Float32Array(data.length);
  normalise(data, picture, normalised);
  return [
    { data, dims },
    { data: normalised, dims },
  ];
}

/** A model that works in 32 bits: one number of its patches' bias is beyond 65,504. */
async function tooLarge(t: TestContext): Promise<ModelFolder> {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt');
  const file = join(model.path, WEIGHTS_FILE);
  const place = model.weights.tensors.get('transformer.patch_embed.proj.bias');
  assert.ok(place);
  const bytes = await readFile(file);
  bytes.writeFloatLE(1e6, place.offset);
  await writeFile(file, bytes);
  return openModelFolder(model.path);
}

function assertCosines(received: Float32Array, expected: readonly (readonly number[])[], what: string): void {
  expected.forEach((right, i) => {
    const mine = received.subarray(i * right.length, (i + 1) * right.length);
    const cosine = right.reduce((sum, value, d) => sum + value * (mine[d] as number), 0);
    assert.ok(cosine >= 0.9995, `${what} ${i}: ${cosine}`);
  });
}
