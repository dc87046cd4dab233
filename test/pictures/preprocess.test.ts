import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Vlmo } from '#model/vlmo/vlmo.ts';
import { squashed } from '#pictures/picture-spec.ts';
import { type PreprocessMode, preprocess } from '#pictures/preprocess.ts';
import { fixture, readJson } from '../fixtures/files.ts';
import { assertClose, type Expected, loadTiny, referencePixels, TINY } from '../model/vlmo/model-fixture.ts';

/** What `fast` may move a vector: measured 0.9992 at worst, for pictures up to 25 times too large. */
const FAST_COSINE = 0.999;

for (const { name } of TINY) {
  test(`preprocess: the reference pictures through ${name}`, async (t) => {
    const vlmo = await loadTiny(t, name);
    const expected = await readJson<Expected>(`reference/vlmo-tiny/${name}.expected.json`);
    assert.equal(expected.images.length, 6);

    await t.test('exact.png within 1e-4 of every value in both modes', async () => {
      const golden = expected.image_embedding[expected.images.indexOf('exact.png')] ?? [];
      for (const mode of ['reference', 'fast'] as const)
        assertClose(await embed(vlmo, 'exact.png', mode), golden, 1e-4, mode);
    });

    for (const [mode, bound] of [['reference', 0.9999] as const, ['fast', FAST_COSINE] as const]) {
      await t.test(`${mode}: cosine at least ${bound} for every picture`, async () => {
        for (const [i, image] of expected.images.entries()) {
          const cosine = dot(await embed(vlmo, image, mode), expected.image_embedding[i] ?? []);
          assert.ok(cosine >= bound, `${image}: ${cosine}`);
        }
      });
    }
  });
}

async function embed(vlmo: Vlmo, image: string, mode: PreprocessMode): Promise<Float32Array> {
  const bytes = await readFile(fixture(`reference/vlmo-tiny/images/${image}`));
  const data = new Float32Array(3 * 64 * 64);
  await preprocess(bytes, vlmo.folder.picture, mode, { maxPixels: 1e8 }, data);
  return (await vlmo.embedImages({ data, dims: [1, 3, 64, 64] })).data;
}

test('preprocess: reference pixels are at most 1 of 255 from Pillow, decoder included', async () => {
  const { data: golden } = await referencePixels();
  const { images } = await readJson<Expected>('reference/vlmo-tiny/tiny_rel.expected.json');
  for (const [i, image] of images.toSorted().entries()) {
    const bytes = await readFile(fixture(`reference/vlmo-tiny/images/${image}`));
    const data = new Float32Array(3 * 64 * 64);
    const spec = squashed([64, 64]);
    await preprocess(bytes, spec, 'reference', { maxPixels: 1e8 }, data);
    assertClose(data, golden.subarray(i * data.length, (i + 1) * data.length), 1 / 127.5 + 1e-6, image);
  }
});

function dot(a: Float32Array, b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? Number.NaN), 0);
}
