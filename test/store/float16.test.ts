import assert from 'node:assert/strict';
import test from 'node:test';
import { fromFloat16, toFloat16 } from '#store/float16.ts';

test('fromFloat16 and toFloat16 keep every float16 number', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, half) => half);
  const finite = all.filter((half) => (half & 0x7fff) <= 0x7c00);
  assert.deepEqual(toFloat16(fromFloat16(finite)), finite);
});

test('toFloat16 rounds to nearest, ties to even, at and around every midpoint', () => {
  const numbers = fromFloat16(Uint16Array.from({ length: 0x7c00 }, (_, half) => half));
  for (let half = 0; half + 1 < 0x7c00; half++) {
    const middle = Math.fround(((numbers[half] as number) + (numbers[half + 1] as number)) / 2);
    const even = half % 2 === 0 ? half : half + 1;
    const step = middle * 2 ** -23;
    const around = Float32Array.of(middle - step, middle, middle + step, -middle);
    assert.deepEqual([...toFloat16(around)], [half, even, half + 1, even | 0x8000], `${middle}`);
  }
});

test('toFloat16 turns what is too large into infinity, what is too small into zero, and keeps NaN', () => {
  const values = Float32Array.of(65519, 65520, 1e30, -1e30, 2 ** -25, 1e-40, -0, Number.NaN);
  const bits = [0x7bff, 0x7c00, 0x7c00, 0xfc00, 0, 0, 0x8000, 0x7e00];
  assert.deepEqual([...toFloat16(values)], bits);
});

test('toFloat16 reads a view that starts inside its buffer', () => {
  assert.deepEqual([...toFloat16(Float32Array.of(9, 1, 2).subarray(1))], [0x3c00, 0x4000]);
});
