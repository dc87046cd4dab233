import { BLOCK_ROWS, HIDDEN } from './blocks.ts';
import type { DoubtfulRows } from './doubtful-rows.ts';
import { kthLargest } from './kth-largest.ts';

/** The scores of one query with the rows of a segment, as a device gave them: `value = offset + scale * score`. */
export interface BlockScores {
  /** [rows], and the maximum of each block. */
  readonly scores: Float32Array;
  readonly maxima: Float32Array;
  readonly scale: number;
  readonly offset: number;
  /** How far a value of each block may be from the product in float64. */
  readonly errors: Float64Array;
}

let lower = new Float64Array(256);

/** Puts what may be among the k best of a segment to the rows in doubt: only blocks whose maximum may be are read. */
export function selectRows(
  list: DoubtfulRows,
  part: number,
  { scores, maxima, scale, offset, errors }: BlockScores,
  k: number,
): void {
  const blocks = maxima.length;
  if (k <= blocks) {
    if (lower.length < blocks) lower = new Float64Array(blocks);
    // Each maximum is a row of its own.
    for (let b = 0; b < blocks; b++)
      lower[b] = offset + scale * (maxima[b] as number) - (errors[b] as number);
    list.raise(kthLargest(lower, blocks, k));
  }
  for (let b = 0; b < blocks; b++) {
    const error = errors[b] as number;
    const maximum = maxima[b] as number;
    if (maximum < HIDDEN / 2 || offset + scale * maximum + error < list.least) continue;
    for (let row = b * BLOCK_ROWS; row < (b + 1) * BLOCK_ROWS; row++) {
      const score = scores[row] as number;
      if (score >= HIDDEN / 2) list.push(part, row, offset + scale * score, error);
    }
  }
}

/** The blocks whose maximum may be among the k best, where all scores have the same error. */
export function chooseBlocks(list: DoubtfulRows, maxima: Float32Array, error: number, k: number): number[] {
  if (k <= maxima.length) list.raise(kthLargest(Float64Array.from(maxima), maxima.length, k) - error);
  const chosen: number[] = [];
  for (let b = 0; b < maxima.length; b++) {
    const maximum = maxima[b] as number;
    if (maximum >= HIDDEN / 2 && maximum + error >= list.least) chosen.push(b);
  }
  return chosen;
}
