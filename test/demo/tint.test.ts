import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tint } from '../../demo/tint.ts';

/** Four pixels: a fill, a lighter fill, ink, nothing. */
const drawing = (): Buffer =>
  Buffer.from(
    [
      [120, 120, 120, 255],
      [200, 200, 200, 255],
      [0, 0, 0, 255],
      [0, 0, 0, 0],
    ].flat(),
  );

test('a fill takes on the colour, light stays lighter, ink stays dark, alpha stays', () => {
  const rgba = drawing();
  tint(rgba, 'red');
  const [fill, light, ink, nothing] = [0, 4, 8, 12].map((i) => [...rgba.subarray(i, i + 4)]);
  assert.ok(Number(fill?.[0]) > 2 * Number(fill?.[1]), `${fill}`);
  assert.ok(Number(light?.[1]) > Number(fill?.[1]), `${light}`);
  assert.ok(Number(ink?.[0]) < 30, `${ink}`);
  assert.deepEqual([fill?.[3], light?.[3], ink?.[3], nothing?.[3]], [255, 255, 255, 0]);
});

test('a drawing of ink alone becomes the colour', () => {
  const rgba = Buffer.from([0, 0, 0, 255, 10, 10, 10, 128]);
  tint(rgba, 'blue');
  assert.deepEqual([...rgba], [33, 97, 230, 255, 33, 97, 230, 128]);
});

test('an unknown colour is an error that says which there are', () => {
  assert.throws(
    () => tint(drawing(), 'mauve'),
    /Cannot tint drawing: expected one of red, .*, received "mauve"/,
  );
});
