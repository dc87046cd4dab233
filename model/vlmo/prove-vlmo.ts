import { compareAnswers } from '#devices/known-answers.ts';
import type { Precision } from '../precision.ts';
import type { GraphKind } from './network.ts';

/** What is known of a graph on a device. */
export interface Proof {
  /** The one that it runs in. */
  readonly precision: Precision;
  /** The largest difference from the CPU in 32 bits. */
  readonly difference: number;
  /** Why it does not run in the precision that was asked for. */
  readonly reason: string | null;
}

/** Of vectors of unit length, where devices in float32 were 3e-7 apart, and of logits, which are some units large. */
const BOUNDS = { image: 1e-4, text: 1e-4, fusion: 1e-2 } as const;
const WHAT = {
  image: "a value of a picture's vector",
  text: "a value of a text's vector",
  fusion: 'a logit of a pair',
} as const;

/** The largest difference of what a device gives in 32 bits from what the CPU gives. Throws DEVICE_WRONG. */
export function compareDevice(
  device: string,
  kind: GraphKind,
  expected: Float32Array,
  received: Float32Array,
): number {
  return compareAnswers({ device, what: WHAT[kind], expected, received, bound: BOUNDS[kind] });
}

/** Least cosine of a vector in 16 bits with the one in 32 bits. */
const LEAST_COSINE = 0.9995;
/** Of the probability that a picture and a text belong together. */
const MATCH_BOUND = 0.01;

/** Why a graph may not run in 16 bits, by what it gives there [B, ·] and in 32 bits; null where it may. */
export function objection(
  kind: GraphKind,
  expected: Float32Array,
  received: Float32Array,
  count: number,
): string | null {
  const infinite = received.findIndex((value) => !Number.isFinite(value));
  if (infinite >= 0) return `expected finite numbers, received ${received[infinite]} (${WHAT[kind]})`;
  if (kind === 'fusion') {
    const apart = largestOf(count, (i) => Math.abs(probability(expected, i) - probability(received, i)));
    return apart <= MATCH_BOUND
      ? null
      : `expected match probabilities within ${MATCH_BOUND} of those in 32 bits, received one ${apart.toFixed(4)} away`;
  }
  const width = expected.length / count;
  const cosine = 1 - largestOf(count, (i) => 1 - cosineOf(expected, received, i * width, width));
  return cosine >= LEAST_COSINE
    ? null
    : `expected ${kind} vectors of cosine ${LEAST_COSINE} at least to those in 32 bits, received ${cosine.toFixed(5)}`;
}

function largestOf(count: number, value: (i: number) => number): number {
  return Math.max(...Array.from({ length: count }, (_, i) => value(i)));
}

function probability(logits: Float32Array, i: number): number {
  return 1 / (1 + Math.exp((logits[2 * i] as number) - (logits[2 * i + 1] as number)));
}

function cosineOf(a: Float32Array, b: Float32Array, from: number, width: number): number {
  let [product, first, second] = [0, 0, 0];
  for (let i = from; i < from + width; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    product += x * y;
    first += x * x;
    second += y * y;
  }
  return product / Math.sqrt(first * second);
}

/** The largest difference of two rows of numbers. */
export function largestDifference(expected: Float32Array, received: Float32Array): number {
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (received[i] as number))), 0);
}
