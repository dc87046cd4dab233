import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { DRAWING, difference, readPictureFixture, see } from './pictures.ts';

/** Lying on its side it is shrunk in the other order: rounding between the two passes falls elsewhere. */
const FAST_TOLERANCE = 4;

describe('preprocess: EXIF orientation', () => {
  for (let orientation = 1; orientation <= 8; orientation++) {
    test(`${orientation}: the samples and the size of the upright picture`, async () => {
      const upright = await readPictureFixture('orientation-1.jpg');
      const turned = await readPictureFixture(`orientation-${orientation}.jpg`);
      const { width, height } = await sharp(turned).metadata();
      const isOnSide = orientation >= 5;
      assert.deepEqual([width, height], isOnSide ? [32, 48] : [48, 32], 'as stored');
      for (const size of [{}, { width: 10, height: 7 }, { width: 64, height: 64 }]) {
        const expected = await see(upright, size);
        const seen = await see(turned, size);
        assert.deepEqual(seen.info, { ...DRAWING, format: 'jpeg' });
        assert.deepEqual(seen.samples, expected.samples);
        const fast = await see(turned, { ...size, mode: 'fast' });
        assert.deepEqual(fast.info, seen.info);
        const expectedFast = await see(upright, { ...size, mode: 'fast' });
        assert.ok(difference(fast.samples, expectedFast.samples) <= (isOnSide ? FAST_TOLERANCE : 0));
      }
    });
  }

  test('the eight stored pictures are not the same', async () => {
    const stored = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const bytes = await readPictureFixture(`orientation-${i + 1}.jpg`);
        return (await sharp(bytes).resize(24, 24, { fit: 'fill' }).raw().toBuffer()).toString('hex');
      }),
    );
    assert.equal(new Set(stored).size, 8);
  });
});
