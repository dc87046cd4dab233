import { HALF_VALUES } from '#float16.ts';

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** The product of a query with a row of float16 bits in float64, one value after the other. */
export function dotHalves(query: Float32Array, halves: Uint16Array, at: number): number {
  let sum = 0;
  for (let i = 0; i < query.length; i++)
    sum += (query[i] as number) * (HALF_VALUES[halves[at + i] as number] as number);
  return sum;
}

/** Upper bounds of the squares of two float16 numbers together, by the upper bytes of both. */
const PAIRS = makePairs();

/** A bound on the lengths of rows of float16 bits, at most an eighth above the largest: half the reads of an exact one. */
export function longestRow(halves: Uint16Array, dimensions: number): number {
  const even = dimensions - (dimensions % 2);
  let longest = 0;
  for (let at = 0; at < halves.length; at += dimensions) {
    // Two sums, so that neither waits for the other.
    let [first, second] = [0, 0];
    let i = at;
    for (const end = at + even - 2; i < end; i += 4) {
      first += pair(halves[i] as number, halves[i + 1] as number);
      second += pair(halves[i + 2] as number, halves[i + 3] as number);
    }
    for (; i < at + dimensions; i++) first += pair(halves[i] as number, 0);
    longest = Math.max(longest, first + second);
  }
  return Math.sqrt(longest);
}

function pair(first: number, second: number): number {
  return PAIRS[(first >>> 8) | (second & 0xff00)] as number;
}

function makePairs(): Float32Array {
  const squares = Array.from(
    { length: 256 },
    (_, upper) => (HALF_VALUES[(upper << 8) | 0xff] as number) ** 2,
  );
  return Float32Array.from(
    { length: 0x10000 },
    (_, i) => (squares[i & 0xff] as number) + (squares[i >> 8] as number),
  );
}
