import { HALF_VALUES } from '#float16.ts';
import { BLOCK_ROWS } from '../blocks.ts';
import type { Frame } from './frame.ts';

/** Rows in 8 bits: `v = mean + spread * (scale * bytes)`, up to a difference whose length is known. */
export interface QuantisedRows {
  /** [D, rows]: value by value, as the product takes them. */
  readonly bytes: Int8Array;
  /** [rows] */
  readonly scales: Float32Array;
  /** Of each block the largest length of `r - scale * bytes`, and of `scale * bytes`. */
  readonly differences: Float64Array;
  readonly lengths: Float64Array;
  /** Largest length of a row as it is stored, and of the mean. */
  readonly longest: number;
}

const LARGEST = 127;
/** What has no bits left for fractions: adding it rounds, and many times faster than `Math.round`. */
const ROUNDER = 1.5 * 2 ** 52;

export function quantiseRows(
  halves: Uint16Array,
  rows: number,
  dimensions: number,
  frame: Frame,
): QuantisedRows {
  const { mean, spread } = frame;
  const bytes = new Int8Array(rows * dimensions);
  const scales = new Float32Array(rows);
  const differences = new Float64Array(rows / BLOCK_ROWS);
  const lengths = new Float64Array(rows / BLOCK_ROWS);
  const inverse = spread.map((value) => 1 / value);
  // Row by row first, in a block that the cache holds; then value by value to its place.
  const block = new Int8Array(BLOCK_ROWS * dimensions);
  const row = new Float64Array(dimensions);
  let longest = Math.hypot(...mean);
  for (let b = 0; b < rows / BLOCK_ROWS; b++) {
    for (let i = 0; i < BLOCK_ROWS; i++) {
      const first = (b * BLOCK_ROWS + i) * dimensions;
      let [largest, squares] = [0, 0];
      for (let d = 0; d < dimensions; d++) {
        const value = HALF_VALUES[halves[first + d] as number] as number;
        squares += value * value;
        const r = (value - (mean[d] as number)) * (inverse[d] as number);
        row[d] = r;
        const size = r < 0 ? -r : r;
        if (size > largest) largest = size;
      }
      longest = Math.max(longest, Math.sqrt(squares));
      // As float32, because that is what the product is multiplied with.
      const scale = Math.fround(largest / LARGEST);
      const factor = scale > 0 ? 1 / scale : 0;
      scales[b * BLOCK_ROWS + i] = scale;
      let [difference, length] = [0, 0];
      for (let d = 0; d < dimensions; d++) {
        const r = row[d] as number;
        const byte = r * factor + ROUNDER - ROUNDER;
        block[i * dimensions + d] = byte;
        const kept = byte * scale;
        difference += (r - kept) * (r - kept);
        length += kept * kept;
      }
      differences[b] = Math.max(differences[b] as number, Math.sqrt(difference));
      lengths[b] = Math.max(lengths[b] as number, Math.sqrt(length));
    }
    for (let d = 0; d < dimensions; d++)
      for (let i = 0; i < BLOCK_ROWS; i++)
        bytes[d * rows + b * BLOCK_ROWS + i] = block[i * dimensions + d] as number;
  }
  return { bytes, scales, differences, lengths, longest };
}
