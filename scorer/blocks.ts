/** Rows of one block: near the square root of a segment's rows over the usual k, where both sorts are as small as can be. */
export const BLOCK_ROWS = 64;
/** Added to the scores of rows that are not to be found. Finite, because not every GPU knows infinity. */
export const HIDDEN = -1e30;

/** What is added to the scores of rows, by a mask that has 1 for the hidden ones. */
export function biasOf(hidden: Uint8Array): Float32Array<ArrayBuffer> {
  const bias = new Float32Array(hidden.length);
  for (let row = 0; row < hidden.length; row++) if (hidden[row] === 1) bias[row] = HIDDEN;
  return bias;
}
