import { type ErrorData, toErrorData } from '#errors.ts';
import { isolateFailures } from '#isolate-failures.ts';
import type { InferencePool } from '#workers/threads/pools.ts';

/** A vector of unit length [D], or why there is none. */
export type Embedded =
  | {
      readonly vector: Float32Array /** The model read the beginning of the text only. */;
      readonly isCut?: true;
    }
  | { readonly error: ErrorData };

/** Vectors of the first `count` pictures of a slab, in the order of their slots. */
export function embedPictures(
  pool: InferencePool,
  pixels: SharedArrayBuffer,
  count: number,
  pictureBytes: number,
): Promise<Embedded[]> {
  const slots = Array.from({ length: count }, (_, slot) => slot);
  const run = async (some: readonly number[]): Promise<Embedded[]> => {
    const [first = 0] = some;
    // A lone picture is copied out: a batch begins where its buffer begins.
    const own =
      some.length === count ? pixels : pixels.slice(first * pictureBytes, (first + 1) * pictureBytes);
    return toRows(await pool.run({ kind: 'images', pixels: own, count: some.length }), some.length);
  };
  return isolateFailures(slots, run, inferenceFailed);
}

/** Vectors of texts, in their order. */
export function embedTexts(pool: InferencePool, texts: readonly string[]): Promise<Embedded[]> {
  const run = async (some: readonly string[]): Promise<Embedded[]> => {
    let cut: readonly number[] = [];
    const onCut = (indexes: readonly number[]): void => {
      cut = indexes;
    };
    const rows = toRows(await pool.run({ kind: 'texts', texts: some }, onCut), some.length);
    for (const index of cut) rows[index] = { ...rows[index], isCut: true } as Embedded;
    return rows;
  };
  return isolateFailures(texts, run, inferenceFailed);
}

function toRows(matrix: Float32Array, count: number): Embedded[] {
  const width = matrix.length / count;
  return Array.from({ length: count }, (_, i) => ({ vector: matrix.subarray(i * width, (i + 1) * width) }));
}

function inferenceFailed(_: unknown, error: unknown): Embedded {
  return { error: toErrorData(error, 'INFERENCE_FAILED') };
}
