import type { Frame } from './frame.ts';

/** Queries in the coordinates of a frame, in two 8-bit halves each: `q * spread = scale * (256 high + low)`, nearly. */
export interface QuantisedQueries {
  readonly count: number;
  /** [2 Q, D]: the high halves of all, then the low ones, each with 128 added. */
  readonly bytes: Uint8Array;
  /** [Q]: one unit of the products, and the product with the frame's mean. */
  readonly scales: Float64Array;
  readonly offsets: Float64Array;
  /** Lengths of the query, of `q * spread`, and of what is left of it, [Q]. */
  readonly lengths: Float64Array;
  readonly spreadLengths: Float64Array;
  readonly rests: Float64Array;
}

/** 127 whole high halves, so that a low one never carries over. */
const LARGEST = 127 * 256;
const ZERO_POINT = 128;

export function quantiseQueries(queries: Float32Array, { mean, spread }: Frame): QuantisedQueries {
  const dimensions = mean.length;
  const count = queries.length / dimensions;
  const bytes = new Uint8Array(2 * count * dimensions);
  const [scales, offsets, lengths, spreadLengths, rests] = Array.from(
    { length: 5 },
    () => new Float64Array(count),
  ) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  for (let q = 0; q < count; q++) {
    let [largest, offset, squares, spreadSquares] = [0, 0, 0, 0];
    for (let d = 0; d < dimensions; d++) {
      const value = queries[q * dimensions + d] as number;
      const stretched = value * (spread[d] as number);
      offset += value * (mean[d] as number);
      squares += value * value;
      spreadSquares += stretched * stretched;
      largest = Math.max(largest, Math.abs(stretched));
    }
    const scale = largest > 0 ? largest / LARGEST : 1;
    let rest = 0;
    for (let d = 0; d < dimensions; d++) {
      const stretched = (queries[q * dimensions + d] as number) * (spread[d] as number);
      const whole = Math.round(stretched / scale);
      const high = Math.round(whole / 256);
      bytes[q * dimensions + d] = high + ZERO_POINT;
      bytes[(count + q) * dimensions + d] = whole - 256 * high + ZERO_POINT;
      rest += (stretched - whole * scale) ** 2;
    }
    scales[q] = scale;
    offsets[q] = offset;
    lengths[q] = Math.sqrt(squares);
    spreadLengths[q] = Math.sqrt(spreadSquares);
    rests[q] = Math.sqrt(rest);
  }
  return { count, bytes, scales, offsets, lengths, spreadLengths, rests };
}
