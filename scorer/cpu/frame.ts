import { HALF_VALUES } from '#float16.ts';

/** Coordinates in which rows need few bits: `v = mean + spread * r`, value by value. */
export interface Frame {
  /** [D] */
  readonly mean: Float64Array;
  readonly spread: Float64Array;
}

/** No value is stretched by more than this much over the others: a direction without spread would be all rounding. */
const LEAST_SPREAD = 0.1;

/** The mean and the standard deviation of each value of some rows. */
export function frameOf(halves: Uint16Array, rows: number, dimensions: number): Frame {
  const mean = new Float64Array(dimensions);
  const spread = new Float64Array(dimensions);
  for (let row = 0, at = 0; row < rows; row++)
    for (let d = 0; d < dimensions; d++) {
      const value = HALF_VALUES[halves[at++] as number] as number;
      mean[d] = (mean[d] as number) + value;
      spread[d] = (spread[d] as number) + value * value;
    }
  let total = 0;
  for (let d = 0; d < dimensions; d++) {
    const centre = (mean[d] as number) / rows;
    mean[d] = centre;
    const variance = Math.max(0, (spread[d] as number) / rows - centre * centre);
    total += variance;
    spread[d] = Math.sqrt(variance);
  }
  const usual = Math.sqrt(total / dimensions);
  for (let d = 0; d < dimensions; d++) spread[d] = Math.max(spread[d] as number, LEAST_SPREAD * usual) || 1;
  return { mean, spread };
}

/** Whether rows of frame `own` are about as well off in frame `other`: then a query is quantised once for both. */
export function isNear(own: Frame, other: Frame): boolean {
  let moved = 0;
  for (let d = 0; d < own.mean.length; d++) {
    const ratio = (own.spread[d] as number) / (other.spread[d] as number);
    if (ratio > 1.5 || ratio < 0.5) return false;
    moved += (((own.mean[d] as number) - (other.mean[d] as number)) / (other.spread[d] as number)) ** 2;
  }
  return moved < own.mean.length / 4;
}
