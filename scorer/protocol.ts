import type { Provider } from '#devices/provider.ts';
import type { ErrorData } from '#errors.ts';

/** What a scoring thread is told and answers. */

/** How a segment's vectors are kept on the device. */
export type SegmentType = 'float16' | 'float32';

export interface BackendSetup {
  readonly provider: Provider;
  /** Threads that one run computes on. */
  readonly threads: number;
}

/** Loads a file of vectors [rows, dimensions] onto the device; the file may go when it is loaded. */
export interface OpenTask {
  readonly kind: 'open';
  readonly segment: number;
  readonly folder: string;
  readonly location: string;
  readonly rows: number;
  readonly dimensions: number;
  readonly type: SegmentType;
}

export interface ScoreTask {
  readonly kind: 'score';
  readonly segment: number;
  /** [Q, D], side by side. */
  readonly queries: Float32Array;
  readonly k: number;
  /** Added to the scores [rows]; null where every row may be found. */
  readonly bias: Float32Array | null;
}

export interface CloseTask {
  readonly kind: 'close';
  readonly segment: number;
}

export type BackendTask = OpenTask | ScoreTask | CloseTask;

/** The best rows of a segment for each query, best first: values and rows are [Q, k]. */
export interface Scored {
  readonly k: number;
  readonly values: Float32Array;
  readonly rows: Int32Array;
}

export type BackendResult =
  | { readonly kind: 'done'; readonly scored: Scored | null }
  | { readonly kind: 'failed'; readonly error: ErrorData };
