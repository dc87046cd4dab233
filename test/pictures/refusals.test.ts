// Runs alone: it measures.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PREPROCESS_MODES } from '#pictures/preprocess.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { readPictureFixture, see } from './pictures.ts';

const jpeg = await readPictureFixture('orientation-1.jpg');
const text = new TextEncoder();

/** What is not a picture that can be decoded, and what the message says was received. */
const REFUSED: readonly (readonly [what: string, bytes: Uint8Array, received: RegExp])[] = [
  ['an empty file', new Uint8Array(0), /received 0 bytes$/],
  ['a text', text.encode('This is a note, not a picture.\n'), /received 31 bytes of something else$/],
  ['a web page', text.encode('<!doctype html><html></html>'), /received 28 bytes of something else$/],
  ['a JPEG without its last two bytes', jpeg.subarray(0, -2), /damaged or cut short \(.*premature end/],
  ['a JPEG cut in the middle of its pixels', jpeg.subarray(0, -40), /damaged or cut short \(.*premature end/],
  ['the first 100 bytes of a JPEG', jpeg.subarray(0, 100), /100 bytes that are damaged or cut short/],
  ['a BMP', await readPictureFixture('drawing.bmp'), /received a BMP picture; convert it first$/],
  ['a HEIC', await readPictureFixture('photo.heic'), /received a HEIC picture; convert it first$/],
  ['a PDF', text.encode('%PDF-1.7\n'), /received a PDF; convert it first$/],
  ['an icon', Uint8Array.of(0, 0, 1, 0, 1, 0, 16, 16), /received an icon; convert it first$/],
];

describe('preprocess: what cannot be decoded', () => {
  for (const mode of PREPROCESS_MODES) {
    for (const [what, bytes, received] of REFUSED) {
      test(`${mode}: ${what} is IMAGE_INVALID and the message says what was received`, async () => {
        await assert.rejects(
          see(bytes, { mode }),
          vlmoError('IMAGE_INVALID', /^Cannot decode image: expected a JPEG, PNG, WebP, GIF, /, received),
        );
      });
    }

    test(`${mode}: 80 bytes that claim 50,000 x 50,000 pixels are refused before they are decoded`, async () => {
      const bomb = await readPictureFixture('bomb.png');
      assert.ok(bomb.length < 100);
      const before = process.memoryUsage.rss();
      await assert.rejects(
        see(bomb, { mode }),
        vlmoError('IMAGE_TOO_LARGE', 'at most 100000000 pixels, received 50000 x 50000', '--max-pixels'),
      );
      assert.ok(process.memoryUsage.rss() - before < 100e6, 'the pixels would be 7.5 GB');
    });

    test(`${mode}: the limit is the last size that is taken`, async () => {
      const drawing = await readPictureFixture('drawing.png');
      await see(drawing, { mode, maxPixels: 48 * 32 });
      await assert.rejects(see(drawing, { mode, maxPixels: 48 * 32 - 1 }), vlmoError('IMAGE_TOO_LARGE'));
    });
  }
});
