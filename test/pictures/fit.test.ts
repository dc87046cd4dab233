import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { framed, resizedSides } from '#pictures/fit.ts';
import { type PictureSpec, parsePictureSpec, squashed } from '#pictures/picture-spec.ts';
import { preprocess } from '#pictures/preprocess.ts';
import type { Pixels } from '#pictures/resample.ts';

/** As CLIP's image processor is written. */
const CLIP = {
  ...{ size: { shortest_edge: 224 }, do_center_crop: true, crop_size: { height: 224, width: 224 } },
  resample: 3,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};

describe('parsePictureSpec', () => {
  test('what VLMo writes is squashed; what CLIP writes keeps the aspect ratio and is cropped', () => {
    const half = [0.5, 0.5, 0.5];
    const vlmo = { size: { height: 96, width: 128 }, resample: 3, image_mean: half, image_std: half };
    assert.deepEqual(parsePictureSpec(vlmo), squashed([96, 128]));
    assert.deepEqual(parsePictureSpec(CLIP), {
      ...{ size: [224, 224], fit: 'shortest-edge', crop: [224, 224], resample: 'bicubic', channels: 3 },
      ...{ mean: CLIP.image_mean, std: CLIP.image_std },
    });
  });

  for (const wrong of [
    { ...CLIP, size: {} },
    { ...CLIP, resample: 0 },
    { ...CLIP, image_std: [0, 1, 1] },
    { ...CLIP, image_std: [1] },
  ]) {
    test(`${JSON.stringify(wrong).slice(0, 60)}… is refused`, () => {
      assert.throws(() => parsePictureSpec(wrong));
    });
  }
});

describe('resizedSides', () => {
  const spec = (fit: PictureSpec['fit']): PictureSpec => ({ ...squashed([20, 30]), fit });
  test('squash takes the size, shortest-edge and pad keep the aspect ratio', () => {
    assert.deepEqual(resizedSides(spec('squash'), { width: 7, height: 900 }), [20, 30]);
    assert.deepEqual(resizedSides(spec('shortest-edge'), { width: 300, height: 201 }), [20, 29]);
    assert.deepEqual(resizedSides(spec('shortest-edge'), { width: 10, height: 33 }), [66, 20]);
    assert.deepEqual(resizedSides(spec('pad'), { width: 300, height: 100 }), [10, 30]);
    assert.deepEqual(resizedSides(spec('pad'), { width: 1, height: 5000 }), [20, 1]);
  });
});

describe('framed', () => {
  const grey = (width: number, height: number): Pixels => ({
    ...{ width, height, channels: 1 },
    data: Uint8Array.from({ length: width * height }, (_, i) => i),
  });

  test('the middle is cut out, rounded towards the top and the left', () => {
    const spec = { ...squashed([2, 5], 1), crop: [2, 2] } as const;
    assert.deepEqual([...framed(grey(5, 2), spec).data], [1, 2, 6, 7]);
  });

  test('what pad leaves open is the mean', () => {
    const spec = { ...squashed([3, 4], 1), fit: 'pad' } as const;
    assert.deepEqual([...framed(grey(2, 3), spec).data], [128, 0, 1, 128, 128, 2, 3, 128, 128, 4, 5, 128]);
  });
});

describe('preprocess by a spec', () => {
  test('shortest-edge and crop see the middle only, normalised by mean and deviation, in both modes', async () => {
    const side = { width: 40, height: 40, channels: 3 } as const;
    const middle = await sharp({ create: { ...side, background: '#ff8000' } })
      .png()
      .toBuffer();
    const picture = await sharp({ create: { ...side, width: 160, background: '#0000ff' } })
      .composite([{ input: middle, left: 60, top: 0 }])
      .png()
      .toBuffer();
    const spec = parsePictureSpec({ ...CLIP, size: { shortest_edge: 40 }, crop_size: 20 });
    for (const mode of ['reference', 'fast'] as const) {
      const target = new Float32Array(3 * 20 * 20);
      await preprocess(picture, spec, mode, { maxPixels: 1e6 }, target);
      for (const [channel, value] of [255, 128, 0].entries()) {
        const expected = (value / 255 - (spec.mean[channel] ?? 0)) / (spec.std[channel] ?? 1);
        for (const seen of target.subarray(channel * 400, (channel + 1) * 400))
          assert.ok(Math.abs(seen - expected) < 1e-5, mode);
      }
    }
  });
});
