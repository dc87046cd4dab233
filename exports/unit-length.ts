/** What becomes of a vector from elsewhere: it is as it should be, was made so, or cannot be. */
export type Checked = 'unit' | 'normalised' | 'not finite' | 'all 0';

/** Of the squared length: what rounding to float16 leaves, and what rounding to float32 does. */
const ROUNDED_16 = 2e-3;
const ROUNDED_32 = 1e-5;

/** Makes a vector [D] unit length in place, where it is not within what `width` bytes a number round to. */
export function toUnitLength(vector: Float32Array, width: 2 | 4): Checked {
  let square = 0;
  for (const value of vector) square += value * value;
  if (!Number.isFinite(square)) return 'not finite';
  if (square === 0) return 'all 0';
  const off = Math.abs(square - 1);
  if (off > (width === 2 ? ROUNDED_16 : ROUNDED_32)) {
    const length = Math.sqrt(square);
    for (const [i, value] of vector.entries()) vector[i] = value / length;
  }
  return off > ROUNDED_16 ? 'normalised' : 'unit';
}
