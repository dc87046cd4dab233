import PQueue from 'p-queue';
import { cut } from '#batches.ts';
import type { GenerationTables, Store } from '#store/contract.ts';
import type { PreprocessPool } from '#workers/decode/preprocess-pool.ts';
import type { InferencePool } from '#workers/threads/pools.ts';
import { indexCaptions } from './captions.ts';
import type { BatchContext } from './context.ts';
import type { ChunkPlan, PlannedBroken } from './lookup.ts';
import { indexPictures } from './pictures.ts';
import { PixelBufferPool } from './pixel-buffer-pool.ts';
import type { RunContext } from './run-context.ts';
import { Writer } from './writer.ts';

export interface IndexerSetup {
  readonly store: Store;
  readonly tables: GenerationTables;
  readonly preprocess: PreprocessPool;
  readonly inference: InferencePool;
  /** Pictures of one run of the model. */
  readonly batchSize: number;
  /** Bytes of one preprocessed picture, [C, H, W] of 8 bits. */
  readonly pictureBytes: number;
}

const CAPTIONS_PER_BATCH = 32;

/**
 * Takes planned items of one generation, of one run or of many chunks side by side, through decode, model and store.
 * Memory is bounded by the batches in flight: as many as keep every thread busy, and no more.
 */
export class Indexer {
  readonly writer: Writer;
  readonly #setup: IndexerSetup;
  readonly #slabs: PixelBufferPool;
  readonly #queue: PQueue;

  constructor(setup: IndexerSetup) {
    this.#setup = setup;
    this.writer = new Writer(setup.store, setup.tables);
    this.#slabs = new PixelBufferPool(setup.batchSize * setup.pictureBytes);
    // A batch that is looked up or written, those that are decoded, and two for each thread of the model.
    const decoding = Math.ceil(setup.preprocess.concurrency / setup.batchSize);
    this.#queue = new PQueue({ concurrency: 1 + decoding + 2 * setup.inference.threads });
  }

  /**
   * Resolves when the last batch of a plan is under way, which waits for room, with the end of its batches: then each
   * item is with the writer. That end rejects where the store cannot be read or written.
   */
  async begin(runContext: RunContext, plan: ChunkPlan): Promise<{ readonly end: Promise<void> }> {
    const context: BatchContext = { ...this.#setup, runContext, writer: this.writer };
    const batches: Promise<void>[] = [];
    const submit = async (work: () => Promise<void>): Promise<void> => {
      await this.#queue.onSizeLessThan(1);
      const batch = this.#queue.add(work);
      // It is waited for below, when the others are under way too.
      batch.catch(() => undefined);
      batches.push(batch);
    };
    for (const batch of cut(plan.images, this.#setup.batchSize))
      await submit(() => this.#slabs.use((pixels) => indexPictures(context, batch, pixels)));
    for (const batch of cut(byLength(plan.captions), CAPTIONS_PER_BATCH))
      await submit(() => indexCaptions(context, batch));
    await submit(() => listBroken(context, plan.broken));
    const end = Promise.all(batches).then(() => undefined);
    end.catch(() => undefined);
    return { end };
  }

  /** Whether no batch is under way: nothing else will join the pending commit. */
  get isIdle(): boolean {
    return this.#queue.size + this.#queue.pending === 0;
  }

  /** Waits for the batches under way. */
  idle(): Promise<void> {
    return this.#queue.onIdle();
  }
}

/** Captions of like length share a batch: a batch is padded to its longest. */
function byLength(captions: ChunkPlan['captions']): ChunkPlan['captions'] {
  return captions.toSorted((a, b) => a.item.caption.length - b.item.caption.length);
}

async function listBroken(
  { writer, runContext }: BatchContext,
  broken: readonly PlannedBroken[],
): Promise<void> {
  for (const planned of broken) {
    const { item, failure }: PlannedBroken = planned;
    if (!runContext.retryFailed && failure?.message === item.error.message)
      await writer.addKnownFailure(runContext, failure);
    else await writer.addFailure(runContext, planned, item.error);
  }
}
