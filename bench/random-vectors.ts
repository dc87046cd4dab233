import { createRandom } from './random-model.ts';

export interface TestVectors {
  readonly dimensions: number;
  /** [count, dimensions], unit length: what is searched. */
  readonly stored: Float32Array;
  readonly queries: Readonly<Record<string, readonly Float32Array[]>>;
}

/**
 * Vectors [count, dimensions] drawn by chance in 500 clusters of 48 inner dimensions that run into each other, and
 * queries that are near some of them, of the same kind and moved aside as those of another kind of input are.
 */
export function randomVectors(count: number, dimensions: number, queries: number): TestVectors {
  const random = createRandom(1);
  const [inner, clusters] = [48, 500];
  const map = gaussian(inner * dimensions, random);
  const centres = Array.from({ length: clusters }, () => gaussian(inner, random));
  const sides = [gaussian(dimensions, random), gaussian(dimensions, random)] as const;
  const latent = (): Float32Array => {
    const centre = centres[Math.floor(clusters ** random()) - 1] ?? gaussian(inner, random);
    return gaussian(inner, random).map((value, i) => (centre[i] ?? 0) + 0.7 * value);
  };
  const toVector = (point: Float32Array, side: Float32Array): Float32Array => {
    const vector = gaussian(dimensions, random).map((noise, d) => {
      let sum = 0.8 * (side[d] ?? 0) + 0.3 * noise;
      for (let i = 0; i < inner; i++) sum += ((point[i] ?? 0) * (map[d * inner + i] ?? 0)) / Math.sqrt(inner);
      return sum;
    });
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    return vector.map((value) => value / length);
  };
  const stored = new Float32Array(count * dimensions);
  for (let row = 0; row < count; row++) stored.set(toVector(latent(), sides[0]), row * dimensions);
  const near = (side: Float32Array) => Array.from({ length: queries }, () => toVector(latent(), side));
  return { dimensions, stored, queries: { same: near(sides[0]), other: near(sides[1]) } };
}

function gaussian(length: number, random: () => number): Float32Array {
  return Float32Array.from(
    { length },
    () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}
