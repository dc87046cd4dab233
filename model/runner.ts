import type { VlmoError } from '#errors.ts';
import type { Model } from './model.ts';

/** Who waits: somebody for an answer, or nobody. Urgent work goes before all bulk work that waits. */
export type Priority = 'urgent' | 'bulk';

export interface RunOptions {
  /** Default urgent. */
  readonly priority?: Priority | undefined;
  /** Work that has not begun when it is aborted is not begun. */
  readonly signal?: AbortSignal | undefined;
  /** Never in one run with the work of others, which shows in the last digits. */
  readonly isAlone?: boolean | undefined;
  /** Called with the places of texts that are longer than the model reads, if there are some. */
  readonly onCut?: ((places: readonly number[]) => void) | undefined;
}

/** A picture to be read: where it lies, or its bytes. */
export type PictureInput = string | Uint8Array;

/** Pixels of a picture: their slot, and the digest of the bytes that they were decoded from. */
export interface DecodedPicture {
  readonly slot: number;
  readonly sha256: string;
}

/** What a model can be run on. Pictures lie side by side in shared memory, [slot, C, H, W] of 8 bits. */
export type RunTask =
  | { readonly kind: 'images'; readonly pixels: SharedArrayBuffer; readonly count: number }
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  /** Pictures and texts to be read together: as many of one as of the other, or one. */
  | {
      readonly kind: 'match';
      readonly pixels: SharedArrayBuffer;
      readonly count: number;
      readonly texts: readonly string[];
    }
  /** The same in two steps: what is made of pictures once, and texts with that, a buffer for each picture. */
  | { readonly kind: 'tokens'; readonly pixels: SharedArrayBuffer; readonly count: number }
  | {
      readonly kind: 'pairs';
      readonly tokens: readonly SharedArrayBuffer[];
      readonly texts: readonly string[];
    };

/** What decodes pictures for a model and runs it: this thread, or the pools. Encoder and cross-encoder are made of it. */
export interface Runner {
  readonly model: Model;
  /** Runs that it computes side by side. */
  readonly threads: number;
  /**
   * Reads and preprocesses pictures into the first slots. The slot of each, or why it has none; those that could be read
   * lie side by side.
   */
  decode(
    pictures: readonly PictureInput[],
    pixels: SharedArrayBuffer,
    options?: RunOptions,
  ): Promise<readonly (DecodedPicture | VlmoError)[]>;
  /** Vectors of unit length [B, D], tokens of pictures [B, L, E], or logits [B, 2] of pairs. Throws what running the model throws. */
  run(task: RunTask, options?: RunOptions): Promise<Float32Array>;
}
