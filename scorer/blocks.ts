/** Rows of one block: near the square root of a segment's rows over the usual k, where both sorts are as small as can be. */
export const BLOCK_ROWS = 64;
/** Added to the scores of rows that are not to be found. Finite, because not every GPU knows infinity. */
export const HIDDEN = -1e30;
