import type { Provider } from '#devices/device.ts';
import type { ErrorData } from '#errors.ts';

/** What the threads are told and answer. Pixels stay in shared memory: a message carries only where they are. */

/** What every thread of the inference pool knows. */
export interface InferenceSetup {
  readonly modelPath: string;
  /** Where the prepared weights lie. */
  readonly weightsFolder: string;
  /** Threads that one run computes on. */
  readonly threads: number;
  readonly provider: Provider;
}

/** `release` gives back what a thread holds of a GPU, and answers with no vectors. */
export type InferenceTask =
  | { readonly kind: 'release' }
  /** Pictures side by side, [count, C, H, W] of 8 bits. */
  | { readonly kind: 'images'; readonly pixels: SharedArrayBuffer; readonly count: number }
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  /** Pictures and texts to be read together: as many of one as of the other, or one. */
  | {
      readonly kind: 'match';
      readonly pixels: SharedArrayBuffer;
      readonly count: number;
      readonly texts: readonly string[];
    };

/** Vectors of unit length [count, D], or the logits [B, 2] of a match; or why there are none. */
export type InferenceResult =
  | { readonly kind: 'vectors'; readonly vectors: Float32Array; readonly cut: readonly number[] }
  | { readonly kind: 'failed'; readonly error: ErrorData };
