import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readContrastiveScale } from '#model/vlmo/contrastive-scale.ts';
import { importFixture, TINY, vlmoError } from './model-fixture.ts';

for (const { name, heads } of TINY) {
  test(`readContrastiveScale: exp(logit_scale) of ${name} is 1 / 0.07, from float32 and from float16`, async (t) => {
    const path = `reference/vlmo-tiny/${name}.pt`;
    const single = await importFixture(t, path, { heads, dtype: 'f32' });
    // tiny_abs is a checkpoint in float16: 11 bits of ln(1 / 0.07).
    const tolerance = name === 'tiny_abs' ? 2e-2 : 1e-5;
    assert.ok(Math.abs((await readContrastiveScale(single.model)) - 1 / 0.07) < tolerance);
    const half = await importFixture(t, path, { heads, dtype: 'f16' });
    assert.ok(Math.abs((await readContrastiveScale(half.model)) - 1 / 0.07) < 2e-2);
  });
}

test('readContrastiveScale: a model without ITC heads has none', async (t) => {
  const { model } = await importFixture(t, 'shapes/matching_only.pt');
  await assert.rejects(readContrastiveScale(model), vlmoError('MODEL_HEAD_MISSING', 'itc_image_proj'));
});
