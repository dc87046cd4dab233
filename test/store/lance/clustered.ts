import { seededRandom } from '../../fixtures/files.ts';

export interface Clustered {
  /** [count, dimensions], unit length. */
  readonly vectors: Float32Array;
  /** Like the vectors, but none of them. */
  readonly queries: readonly Float32Array[];
}

/** Vectors in clusters of very different sizes that run into each other: of those near a query, many lie in the next one. */
export function clusteredVectors(
  count: number,
  dimensions: number,
  queries: number,
  clusters = 60,
): Clustered {
  const random = seededRandom(dimensions);
  const centres = Array.from({ length: clusters }, () => gaussian(dimensions));
  const vectors = new Float32Array(count * dimensions);
  for (let row = 0; row < count; row++) vectors.set(near(), row * dimensions);
  return { vectors, queries: Array.from({ length: queries }, near) };

  function near(): Float32Array {
    const centre = centres[Math.floor(clusters ** random()) - 1] ?? new Float32Array(dimensions);
    const vector = gaussian(dimensions).map((value, i) => 1.2 * value + (centre[i] ?? 0));
    const length = Math.hypot(...vector);
    return vector.map((value) => value / length);
  }

  function gaussian(length: number): Float32Array {
    return Float32Array.from(
      { length },
      () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
    );
  }
}
