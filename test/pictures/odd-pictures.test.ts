import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { PREPROCESS_MODES } from '#pictures/preprocess.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { offsetGif, SIZE, tiff } from './odd-files.ts';
import { pixelAt, readPictureFixture, see } from './pictures.ts';

const SQUARE = { width: SIZE, height: SIZE };
const ALPHA = { unassociated: 2, unspecified: 0 };

for (const mode of PREPROCESS_MODES) {
  describe(`odd pictures, ${mode}`, () => {
    for (const [what, pixel, grey] of [
      ['0 to 1', [0.5], 128],
      ['0 to 255', [200], 200],
      ['beyond', [4000], 0],
    ] as const)
      test(`a TIFF of floating point is read by its range: ${what}`, async () => {
        const seen = await see(tiff(pixel, { isFloat: true }), { mode, ...SQUARE });
        for (const value of pixelAt(seen, 8, 8, SIZE)) assert.ok(Math.abs(value - grey) <= 1, `${value}`);
      });

    // By the transfer function of sRGB: 0.214 of the light is half of the way to white.
    for (const [what, pixel, colour] of [
      ['0 to 1', [1, 0.2140411, 0], [255, 128, 0]],
      ['0 to 255', [255, 0, 255], [255, 0, 255]],
    ] as const)
      test(`colours of floating point are light: ${what}`, async () => {
        const seen = await see(tiff(pixel, { isFloat: true }), { mode, ...SQUARE });
        const found = pixelAt(seen, 8, 8, SIZE);
        for (const [c, value] of found.entries())
          assert.ok(Math.abs(value - (colour[c] ?? Number.NaN)) <= 1, found.join(' '));
      });

    test('an extra band is transparency where it says so, and nothing else', async () => {
      const band = async (extra: number) =>
        pixelAt(await see(tiff([10, 200, 90, 0], { extra }), { mode, ...SQUARE }), 8, 8, SIZE);
      assert.deepEqual(await band(ALPHA.unassociated), [255, 255, 255]);
      assert.deepEqual(await band(ALPHA.unspecified), [10, 200, 90]);
      const two = await see(tiff([10, 200, 90, 0, 0], { extra: ALPHA.unspecified }), { mode, ...SQUARE });
      assert.deepEqual(pixelAt(two, 8, 8, SIZE), [10, 200, 90]);
    });

    test('CMYK with transparency is read', async () => {
      const { info } = await see(await readPictureFixture('cmyk-alpha.tif'), { mode });
      assert.equal(info.format, 'tiff');
    });

    test('the canvas of a GIF is white where its first frame leaves it free', async () => {
      const seen = await see(await offsetGif(), { mode, ...SQUARE });
      for (const [x, y] of [
        [0, 0],
        [15, 15],
        [8, 2],
        [1, 10],
        [14, 10],
      ] as const)
        assert.deepEqual(pixelAt(seen, x, y, SIZE), [255, 255, 255], `${x}, ${y}`);
      const [red = 0, green = 255] = pixelAt(seen, 8, 10, SIZE);
      assert.ok(red > 250 && green < 5);
    });

    test('a HEIC of the common brand is called that', async () => {
      const heic = Buffer.from(await readPictureFixture('photo.heic'));
      heic.write('mif1', 8, 'latin1');
      const received = 'received a HEIC picture; convert it first';
      await assert.rejects(see(heic, { mode }), vlmoError('IMAGE_INVALID', received));
    });

    test('a side that is absurd is refused by the header', async () => {
      const create = { width: 300_000, height: 1, channels: 3, background: '#000' } as const;
      const png = await sharp({ create }).png().toBuffer();
      await assert.rejects(see(png, { mode }), vlmoError('IMAGE_TOO_LARGE', '262144', '300000 x 1'));
    });
  });
}
