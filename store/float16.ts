/**
 * float32 values as the bits of float16, rounded to nearest, ties to even: what numpy and torch do.
 *
 * Written out because apache-arrow's own conversion truncates and `Float16Array` needs Node 24.
 */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    const magnitude = word & 0x7fffffff;
    let half: number;
    if (magnitude >= TOO_LARGE) half = magnitude > FLOAT32_INFINITY ? NAN : INFINITY_BITS;
    else if (magnitude < SMALLEST_NORMAL) half = subnormal(Math.abs(values[i] as number));
    // The exponent is rebased from 127 to 15; adding just under half a unit (or half, when the last kept bit is
    // odd) rounds to nearest even, and a carry runs into the exponent, which is what rounding up means there.
    else half = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    halves[i] = ((word >>> 16) & 0x8000) | half;
  }
  return halves;
}

/** The float16 values of these bits, exactly, as float32. */
export function fromFloat16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = float16Values[halves[i] as number] as number;
  return values;
}

const TOO_LARGE = 0x47800000; // 65536
const FLOAT32_INFINITY = 0x7f800000;
const SMALLEST_NORMAL = 0x38800000; // 2^-14
const INFINITY_BITS = 0x7c00;
const NAN = 0x7e00;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** One unit in the last place of a float32 in [0.5, 1) is the subnormal unit of float16, so the adder rounds. */
function subnormal(magnitude: number): number {
  scratch[0] = magnitude + 0.5;
  return (scratchBits[0] as number) - 0x3f000000;
}

/** The value of each of the 65,536 float16 numbers: a quarter of a megabyte, faster than any arithmetic. */
export const float16Values: Float32Array = Float32Array.from({ length: 65536 }, (_, half) => {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
});
