import { VlmoError } from '#errors.ts';

/** A text and how much it counts; below 0, hits are to be unlike it. */
export interface WeightedText {
  readonly text: string;
  readonly weight: number;
}

/**
 * Reads `"beach" -"people"` or `"red apple"^2 "table" -"people"^0.5`: texts in double quotes, a minus before the ones to
 * be unlike, a weight behind. A text that is not made of such parts alone is one text as it is, quotes and all.
 */
export function parseQueryText(text: string): WeightedText[] {
  const parts = PARTS.test(text) ? Array.from(text.matchAll(PART)) : [];
  if (parts.length === 0 || parts.some(([, , words = '']) => words.trim() === '')) {
    return [{ text, weight: 1 }];
  }
  return parts.map(([, sign, words = '', weight = '1']) => ({
    text: words,
    weight: sign === '-' ? -Number(weight) : Number(weight),
  }));
}

const PART = /([+-]?)"([^"]+)"(?:\^(\d+(?:\.\d+)?|\.\d+))?/g;
const PARTS = new RegExp(`^\\s*(?:${PART.source}(?:\\s+|$))+$`);

/** A vector [D] of unit length and how much it counts. */
export interface WeightedVector {
  readonly vector: Float32Array;
  readonly weight: number;
}

/**
 * The weighted sum of vectors [D], made unit length again; one that stands alone stays as it is. A cosine with it is
 * the weighted sum of the cosines with the parts, divided by the length of the sum: the order is theirs, the size is
 * not. Throws QUERY_INVALID where nothing, or no more than rounding, is left of the sum.
 */
export function composeVector(parts: readonly WeightedVector[]): Float32Array {
  const [first] = parts;
  if (first && parts.length === 1 && first.weight > 0) return first.vector;
  const sum = new Float64Array(first?.vector.length ?? 0);
  for (const { vector, weight } of parts) {
    for (const [i, value] of vector.entries()) sum[i] = (sum[i] ?? 0) + weight * value;
  }
  const length = Math.sqrt(sum.reduce((square, value) => square + value * value, 0));
  const weights = parts.reduce((all, { weight }) => all + Math.abs(weight), 0);
  if (!Number.isFinite(length) || length <= MIN_LENGTH * weights) {
    const received = weights === 0 ? 'weights of 0 only' : 'parts that cancel each other out';
    throw new VlmoError(
      'QUERY_INVALID',
      `Cannot search: expected texts and pictures whose weighted sum is something, received ${received}`,
    );
  }
  return Float32Array.from(sum, (value) => value / length);
}

/** Of the sum of the weights. Models in float16 give the same text vectors that differ by nearly as much. */
const MIN_LENGTH = 1e-3;
