/**
 * Conversions between float32 and 16-bit floats, many values at a time. Imports nothing; written out because
 * `Float16Array` needs Node 24 and apache-arrow's conversion truncates.
 */

/** The value of each of the 65,536 float16 numbers, by its bits: faster than any arithmetic. */
export const HALF_VALUES: Float32Array = makeHalfTable();
const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** IEEE float16 bits to float32. */
export function halfToFloat(
  source: Uint16Array,
  target: Float32Array = new Float32Array(source.length),
): Float32Array {
  for (let i = 0; i < source.length; i++) target[i] = HALF_VALUES[source[i] as number] as number;
  return target;
}

/** bfloat16 bits to float32: the upper half of the same bits. */
export function bfloatToFloat(source: Uint16Array, target: Float32Array): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] ?? 0) << 16;
}

/** float32 to IEEE float16 bits, rounded to nearest, ties to even; what is too large becomes infinity. */
export function floatToHalf(
  source: Float32Array,
  target: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  for (let i = 0; i < source.length; i++) target[i] = halfBits(source[i] as number);
  return target;
}

function halfBits(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and above, infinity
  if (magnitude < 0x38800000) {
    // Below 2^-14 a half is a multiple of 2^-24: adding 0.5 leaves that multiple, rounded, in the low bits.
    scratch[0] = Math.abs(value) + 0.5;
    return sign | ((scratchBits[0] ?? 0) - 0x3f000000);
  }
  const isOdd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + isOdd) >>> 13);
}

function makeHalfTable(): Float32Array {
  return Float32Array.from({ length: 0x10000 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >>> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
