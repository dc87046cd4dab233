import type { Provider } from '#devices/device.ts';
import type { ErrorData } from '#errors.ts';
import type { PictureSpec, PreprocessMode } from '#pictures/preprocess.ts';

/** What the threads are told and answer. Pixels stay in shared memory: a message carries only where they are. */

/** What every thread of the preprocessing pool knows. */
export interface PreprocessSetup {
  readonly spec: PictureSpec;
  readonly mode: PreprocessMode;
  readonly maxPixels: number;
  readonly maxImageBytes: number;
  /** Longest that decoding one picture may take. */
  readonly timeoutSeconds?: number;
}

/** One picture to read, hash and, unless its content is known, decode. */
export interface PictureTask {
  readonly uri: string;
  /** Digest of the content stored under its id. */
  readonly storedSha256: string | null;
  /** Digest of the content that failed before, where it is not to be tried again. */
  readonly failedSha256: string | null;
}

export interface PreprocessTask {
  /** Pictures side by side, [slot, C, H, W] float32. */
  readonly pixels: SharedArrayBuffer;
  /** Where the first picture that succeeds goes; the next ones follow. */
  readonly firstSlot: number;
  readonly pictures: readonly PictureTask[];
}

/** How one picture of a task went, in the order given. */
export type PictureOutcome =
  | {
      readonly kind: 'ready';
      readonly slot: number;
      readonly width: number;
      readonly height: number;
      readonly format: string;
      readonly bytes: number;
      readonly sha256: string;
    }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'known-failure' }
  | { readonly kind: 'failed'; readonly error: ErrorData; readonly sha256: string | null };

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
  | { readonly kind: 'vectors'; readonly vectors: Float32Array }
  | { readonly kind: 'failed'; readonly error: ErrorData };
