import type { GenerationTables } from '#store/contract.ts';
import type { PreprocessPool } from '#workers/decode/preprocess-pool.ts';
import type { InferencePool } from '#workers/threads/pools.ts';
import type { RunContext } from './run-context.ts';
import type { Writer } from './writer.ts';

/** What the steps of one batch share. */
export interface BatchContext {
  readonly runContext: RunContext;
  readonly tables: GenerationTables;
  readonly preprocess: PreprocessPool;
  readonly inference: InferencePool;
  readonly writer: Writer;
  /** Bytes of one preprocessed picture, [C, H, W] of 8 bits. */
  readonly pictureBytes: number;
}
