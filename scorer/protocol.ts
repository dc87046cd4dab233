import type { Provider } from '#devices/provider.ts';
import type { ErrorData } from '#errors.ts';

/** What a scoring thread is told and answers. */

export interface BackendSetup {
  readonly provider: Provider;
  /** Which GPU of several. */
  readonly card?: number | undefined;
}

/** Keeps rows on the device. */
export interface OpenTask {
  readonly kind: 'open';
  readonly segment: number;
  /** float16 bits [rows, dimensions] in shared memory. */
  readonly halves: Uint16Array;
  /** Whole blocks. */
  readonly rows: number;
  readonly dimensions: number;
}

export interface ScoreTask {
  readonly kind: 'score';
  readonly parts: readonly ScoredPart[];
  /** [Q, D], side by side. */
  readonly queries: Float32Array;
  readonly k: number;
}

export interface ScoredPart {
  readonly segment: number;
  /** 1 for rows that are not to be found [rows]; null where every row may be. */
  readonly hidden: Uint8Array | null;
}

export interface CloseTask {
  readonly kind: 'close';
  readonly segment: number;
}

export type BackendTask = OpenTask | ScoreTask | CloseTask;

/**
 * Rows in doubt, of one query after the other: all that may be among its k best. What is not here has a smaller product
 * than k of them.
 */
export interface Candidates {
  /** Where the rows of each query end [Q]. */
  readonly ends: Int32Array;
  /** Which part of the task each row is in, and its place there. */
  readonly parts: Int32Array;
  readonly rows: Int32Array;
  /** Scores, and how far each may be from the product in float64. */
  readonly values: Float64Array;
  readonly errors: Float64Array;
}

export type BackendResult =
  | { readonly kind: 'done'; readonly candidates: Candidates | null }
  | { readonly kind: 'failed'; readonly error: ErrorData };
