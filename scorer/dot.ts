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

/** The largest length of rows of float16 bits. */
export function longestRow(halves: Uint16Array, dimensions: number): number {
  let longest = 0;
  for (let at = 0; at < halves.length; at += dimensions) {
    let squares = 0;
    for (let i = 0; i < dimensions; i++) {
      const value = HALF_VALUES[halves[at + i] as number] as number;
      squares += value * value;
    }
    longest = Math.max(longest, squares);
  }
  return Math.sqrt(longest);
}
