import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import sharp from 'sharp';
import { DRAWING, difference, pixelAt, readPictureFixture, type SeenPicture, see } from './pictures.ts';

/** File, format recorded, and the largest difference from the drawing in `reference` and in `fast` mode. */
const SAME_DRAWING = [
  ['drawing.png', 'png', 0, 0],
  ['drawing.tiff', 'tiff', 0, 0],
  ['drawing.webp', 'webp', 0, 0],
  ['progressive.jpg', 'jpeg', 1, 1],
  ['palette.png', 'png', 0, 0],
  ['16-bit.png', 'png', 0, 0],
  ['16-bit.tiff', 'tiff', 0, 0],
  ['animated.gif', 'gif', 0, 0],
  ['animated.webp', 'webp', 0, 0],
  // Without a profile the inks have no colours of their own: reference goes by Pillow's rule, fast by libvips' profile.
  ['cmyk.jpg', 'jpeg', 0, 120],
] as const;

let drawing: SeenPicture;

describe('preprocess: formats', () => {
  before(async () => {
    drawing = await see(await readPictureFixture('drawing.png'));
    // The fixture itself is what the recipe drew: the first block is 20, 30, 40.
    assert.deepEqual(pixelAt(drawing, 0, 0, DRAWING.width), [20, 30, 40]);
    assert.deepEqual(pixelAt(drawing, 47, 31, DRAWING.width), [220, 210, (350 + 330 + 40) % 256]);
  });

  for (const [file, format, reference, fast] of SAME_DRAWING) {
    test(`${file} shows the drawing in both modes`, async () => {
      const bytes = await readPictureFixture(file);
      for (const [mode, tolerance] of [['reference', reference] as const, ['fast', fast] as const]) {
        const seen = await see(bytes, { mode });
        assert.deepEqual(seen.info, { ...DRAWING, format });
        const worst = difference(seen.samples, drawing.samples);
        assert.ok(worst <= tolerance, `${mode}: ${worst} > ${tolerance}`);
      }
    });
  }

  test('AVIF shows the drawing', async () => {
    const avif = await sharp(await readPictureFixture('drawing.png'))
      .avif({ lossless: true, chromaSubsampling: '4:4:4', effort: 0 })
      .toBuffer();
    const seen = await see(avif);
    assert.deepEqual(seen.info, { ...DRAWING, format: 'heif' });
    assert.ok(difference(seen.samples, drawing.samples) <= 2);
  });

  for (const file of ['grey.png', 'grey-16-bit.png', 'grey.jpg']) {
    test(`${file} gives three equal channels, and the same as one channel`, async () => {
      const bytes = await readPictureFixture(file);
      const three = await see(bytes);
      const one = await see(bytes, { channels: 1 });
      const plane = DRAWING.width * DRAWING.height;
      assert.equal(one.samples.length, plane);
      for (let c = 0; c < 3; c++)
        assert.deepEqual(three.samples.slice(c * plane, (c + 1) * plane), one.samples);
      const grey = await see(await readPictureFixture('grey.png'), { channels: 1 });
      assert.ok(difference(one.samples, grey.samples) <= 1);
    });
  }

  for (const mode of ['reference', 'fast'] as const) {
    for (const file of ['alpha.png', 'alpha.webp', 'grey-alpha.png']) {
      test(`${file} lies on white in ${mode} mode`, async () => {
        const seen = await see(await readPictureFixture(file), { mode });
        const opaque = await see(
          await readPictureFixture(file === 'grey-alpha.png' ? 'grey.png' : 'drawing.png'),
        );
        assert.deepEqual(pixelAt(seen, 0, 0, 48), pixelAt(opaque, 0, 0, 48), 'opaque pixels stay');
        assert.deepEqual(pixelAt(seen, 30, 0, 48), [255, 255, 255], 'clear pixels are white');
        const halves = pixelAt(opaque, 4, 28, 48).map((value) => 255 + ((value - 255) * 128) / 255);
        pixelAt(seen, 4, 28, 48).forEach((value, c) => {
          assert.ok(
            Math.abs(value - (halves[c] ?? Number.NaN)) <= 1,
            'half-clear pixels are mixed with white',
          );
        });
      });
    }
  }

  test('a clear colour of a palette is white', async () => {
    const seen = await see(await readPictureFixture('palette-alpha.png'), { width: 2, height: 1 });
    assert.deepEqual(pixelAt(seen, 0, 0, 2), [200, 10, 20]);
    assert.deepEqual(pixelAt(seen, 1, 0, 2), [255, 255, 255]);
  });

  test('fast gives what reference gives where a side is enlarged', async () => {
    const bytes = await readPictureFixture('drawing.png');
    for (const [width, height] of [
      [64, 64],
      [60, 20],
      [30, 40],
      [49, 33],
    ] as const) {
      const reference = await see(bytes, { width, height });
      const fast = await see(bytes, { width, height, mode: 'fast' });
      assert.deepEqual(fast.samples, reference.samples, `${width} x ${height}`);
    }
  });

  test('fast is at most 5 of 255 off reference where a PNG is shrunk', async () => {
    const bytes = await readPictureFixture('drawing.png');
    for (const [width, height] of [
      [30, 20],
      [24, 16],
      [7, 7],
    ] as const) {
      const reference = await see(bytes, { width, height });
      const fast = await see(bytes, { width, height, mode: 'fast' });
      const worst = difference(fast.samples, reference.samples);
      assert.ok(worst <= 5, `${width} x ${height}: ${worst}`);
    }
  });

  test('a picture of one pixel fills the target in both modes', async () => {
    const pixel = await sharp({ create: { width: 1, height: 1, channels: 3, background: '#0a64c8' } })
      .png()
      .toBuffer();
    for (const mode of ['reference', 'fast'] as const) {
      const { info, samples } = await see(pixel, { mode, width: 16, height: 16 });
      assert.deepEqual(info, { width: 1, height: 1, format: 'png' });
      assert.deepEqual(
        [0, 1, 2].map((c) => [...new Set(samples.slice(c * 256, (c + 1) * 256))]),
        [[0x0a], [0x64], [0xc8]],
      );
    }
  });
});
