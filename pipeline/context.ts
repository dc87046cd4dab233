import type { GenerationTables } from '#store/contract.ts';
import type { InferencePool, PreprocessPool } from '#workers/pools.ts';
import type { ProgressCounter } from './progress.ts';
import type { Writer } from './writer.ts';

/** What the steps of one run share. */
export interface RunContext {
  /** Id of the run. */
  readonly run: string;
  readonly retryFailed: boolean;
  readonly tables: GenerationTables;
  readonly preprocess: PreprocessPool;
  readonly inference: InferencePool;
  readonly writer: Writer;
  readonly progress: ProgressCounter;
  /** Bytes of one preprocessed picture, [C, H, W] float32. */
  readonly pictureBytes: number;
}
