import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bfloatToFloat, floatToHalf, halfToFloat } from '#float16.ts';
import { seededRandom } from './fixtures/files.ts';

const toHalf = (...values: number[]): number[] => {
  const bits = new Uint16Array(values.length);
  floatToHalf(Float32Array.from(values), bits);
  return [...bits];
};

const fromHalf = (...bits: number[]): number[] => {
  const values = new Float32Array(bits.length);
  halfToFloat(Uint16Array.from(bits), values);
  return [...values];
};

const isNotANumber = (bits: number): boolean => (bits & 0x7fff) > 0x7c00;

/** A half by the definition of IEEE 754, in float64, which holds every half exactly. */
function definition(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? (fraction / 1024) * 2 ** -14 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  const magnitude = exponent < 31 ? size : fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
  return bits >> 15 ? -magnitude : magnitude;
}

/** The half nearest to a value, found among the finite ones by bisection, ties to the even one. */
function nearest(value: number): number {
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  // Half-way between the largest half, 65504, and what would come next, 65536, it rounds away to infinity.
  if (magnitude >= 65520) return sign | 0x7c00;
  let [low, high] = [0, 0x7bff];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (definition(middle) <= magnitude) low = middle;
    else high = middle;
  }
  const [below, above] = [magnitude - definition(low), definition(high) - magnitude];
  if (below === above) return sign | (low % 2 === 0 ? low : high);
  return sign | (below < above ? low : high);
}

test('halfToFloat: every one of the 65,536 halves is what IEEE 754 defines', () => {
  const all = Array.from({ length: 0x10000 }, (_, bits) => bits);
  for (const [bits, value] of fromHalf(...all).entries()) {
    if (!Object.is(value, definition(bits)) && !isNotANumber(bits)) {
      assert.fail(`0x${bits.toString(16)} is ${value}, expected ${definition(bits)}`);
    }
    if (isNotANumber(bits)) assert.ok(Number.isNaN(value));
  }
});

test('floatToHalf: every half comes back from float32 as itself', () => {
  const all = Array.from({ length: 0x10000 }, (_, bits) => bits);
  for (const [bits, back] of toHalf(...fromHalf(...all)).entries()) {
    if (isNotANumber(bits)) assert.ok(isNotANumber(back));
    else if (back !== bits) assert.fail(`0x${bits.toString(16)} came back as 0x${back.toString(16)}`);
  }
});

test('floatToHalf: rounds to the nearest half, ties to even, on values of every size', () => {
  const random = seededRandom(1);
  const values = Float32Array.from({ length: 20_000 }, () => {
    const exponent = Math.floor(random() * 48) - 30; // 2^-30, which rounds to 0, to 2^17, which overflows
    return (random() < 0.5 ? -1 : 1) * (1 + random()) * 2 ** exponent;
  });
  const bits = new Uint16Array(values.length);
  floatToHalf(values, bits);
  for (const [i, value] of values.entries()) {
    if (bits[i] !== nearest(value)) assert.fail(`${value} became 0x${bits[i]?.toString(16)}`);
  }
});

test('floatToHalf: half-way between any two halves it takes the even one, and just beside it the nearer', () => {
  for (let low = 0; low < 0x7bff; low++) {
    const middle = (definition(low) + definition(low + 1)) / 2;
    const even = low % 2 === 0 ? low : low + 1;
    const expected = [low, even, low + 1];
    const got = toHalf(middle * (1 - 2 ** -22), middle, middle * (1 + 2 ** -22));
    if (got.join() !== expected.join())
      assert.fail(`around ${middle}: ${got.join()}, expected ${expected.join()}`);
  }
});

test('floatToHalf: zeros keep their sign, infinity and NaN stay, and what is too large becomes infinity', () => {
  assert.deepEqual(
    toHalf(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    [0, 0x8000, 0x7c00, 0xfc00],
  );
  assert.deepEqual(toHalf(65504, 65519, 65520, 1e30, -1e30), [0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00]);
  assert.deepEqual(toHalf(2 ** -24, 2 ** -25, 2 ** -25 * 1.0001, 1e-40), [1, 0, 1, 0]);
  assert.ok(isNotANumber(toHalf(Number.NaN)[0] ?? 0));
});

test('bfloatToFloat: every bfloat16 is the upper half of the float32 it becomes', () => {
  const bits = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
  // A view that does not begin its buffer, as streamed chunks may be.
  const values = new Float32Array(0x10001).subarray(1);
  bfloatToFloat(bits, values);
  const view = new DataView(values.buffer, values.byteOffset);
  for (const i of bits) {
    if (view.getUint32(i * 4, true) !== i * 0x10000) assert.fail(`bfloat16 0x${i.toString(16)}`);
  }
  assert.equal(values[0x3f80], 1);
  assert.equal(values[0xc049], -3.140625);
  assert.equal(values[0x7f80], Number.POSITIVE_INFINITY);
  assert.ok(Number.isNaN(values[0x7fc0]));
});
