/**
 * A bound on how far a score can be from the product in float64: a sum of n float32 products in any order is off by at most
 * n units of 2^-24 times the product of the lengths; two more for the products and the bias.
 */
export function float32Error(query: Float32Array, longest: number): number {
  return 1.01 * Math.hypot(...query) * longest * (query.length + 2) * 2 ** -24;
}
