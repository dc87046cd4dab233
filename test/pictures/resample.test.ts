import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { type Pixels, resize } from '#pictures/resample.ts';
import { readJson } from '../fixtures/files.ts';

interface Golden {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly targetWidth: number;
  readonly targetHeight: number;
  /** What Pillow returns, deflated, in base64. */
  readonly golden: string;
}

const goldens = await readJson<Golden[]>('pictures/bicubic.json');

/** Sample i is (i · 48271 mod 65521) >> 8, or 255 where ⌊i / 7⌋ is odd: noise with hard edges, the recipe's formula. */
function madeUp({ width, height, channels }: Golden): Pixels {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) =>
    Math.floor(i / 7) % 2 === 1 ? 255 : ((i * 48271) % 65521) >> 8,
  );
  return { data, width, height, channels };
}

describe('resizeBicubic', () => {
  for (const golden of goldens) {
    const { width, height, channels, targetWidth, targetHeight } = golden;
    test(`${width} x ${height} x ${channels} to ${targetWidth} x ${targetHeight}: every byte as Pillow`, () => {
      const resized = resize(madeUp(golden), targetWidth, targetHeight, 'bicubic');
      const expected = inflateSync(Buffer.from(golden.golden, 'base64'));
      assert.deepEqual(
        [resized.width, resized.height, resized.channels],
        [targetWidth, targetHeight, channels],
      );
      assert.equal(expected.length, targetWidth * targetHeight * channels);
      assert.deepEqual(resized.data, new Uint8Array(expected));
    });
  }

  test('a picture of one colour stays that colour', () => {
    const flat = { data: new Uint8Array(31 * 17 * 3).fill(201), width: 31, height: 17, channels: 3 };
    assert.deepEqual(new Set(resize(flat, 64, 8, 'bicubic').data), new Set([201]));
  });
});
