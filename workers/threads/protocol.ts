import type { Provider } from '#devices/device.ts';
import type { ErrorData } from '#errors.ts';
import type { ModelPrecision, Precision } from '#model/precision.ts';
import type { RunTask } from '#model/runner.ts';

/** What the threads are told and answer. Pixels stay in shared memory: a message carries only where they are. */

/** What every thread of the inference pool knows. */
export interface InferenceSetup {
  readonly modelPath: string;
  /** Where the prepared weights lie. */
  readonly weightsFolder: string;
  /** Threads that one run computes on. */
  readonly threads: number;
  readonly provider: Provider;
  /** Which GPU of several. */
  readonly card?: number | undefined;
  readonly precision: Precision;
}

/** `release` gives back what a thread holds of a GPU; it and `precision`, which only asks, are answered with no vectors. */
export type InferenceTask = RunTask | { readonly kind: 'release' } | { readonly kind: 'precision' };

/** Vectors of unit length [count, D], or the logits [B, 2] of a match; or why there are none: `unstarted` where the model could not be loaded. */
export type InferenceResult =
  | {
      readonly kind: 'vectors';
      readonly vectors: Float32Array;
      readonly cut: readonly number[];
      /** What the model computes in, as far as it has been used. */
      readonly precision: ModelPrecision;
    }
  | { readonly kind: 'failed' | 'unstarted'; readonly error: ErrorData };
