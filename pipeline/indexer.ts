import PQueue from 'p-queue';
import { cut } from '#batches.ts';
import { isRemote } from '#download/remote.ts';
import type { GenerationTables, Store } from '#store/contract.ts';
import type { PreprocessPool } from '#workers/decode/preprocess-pool.ts';
import type { InferencePool } from '#workers/threads/pools.ts';
import { indexCaptions } from './captions.ts';
import type { BatchContext } from './context.ts';
import { fetchPictures } from './fetch-pictures.ts';
import type { Fetched, Fetcher } from './fetcher.ts';
import type { ChunkPlan, PlannedBroken, PlannedImage } from './lookup.ts';
import { indexFetched, indexPictures } from './pictures.ts';
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
  /** Gets what lies elsewhere; left out, that cannot be read. */
  readonly fetcher?: Fetcher | undefined;
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
  /** Plans that are downloaded. */
  #fetching = 0;
  /** Settled when these are. */
  #lastFetch: Promise<unknown> = Promise.resolve();

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
    const { fetcher, batchSize } = this.#setup;
    const isElsewhere = ({ item }: PlannedImage): boolean => fetcher !== undefined && isRemote(item.uri);
    for (const batch of cut(
      plan.images.filter((planned) => !isElsewhere(planned)),
      batchSize,
    ))
      await submit(() => this.#slabs.use((pixels) => indexPictures(context, batch, pixels)));
    for (const batch of cut(byLength(plan.captions), CAPTIONS_PER_BATCH))
      await submit(() => indexCaptions(context, batch));
    await submit(() => listBroken(context, plan.broken));
    const fetching =
      fetcher && (await this.#fetch(fetcher, context, plan.images.filter(isElsewhere), batches));
    const end = Promise.all([fetching?.end, ...batches]).then(async () => void (await Promise.all(batches)));
    end.catch(() => undefined);
    return { end };
  }

  /** Downloads pictures; what is there goes into batches. These wait in the spool, which is bounded. */
  async #fetch(
    fetcher: Fetcher,
    context: BatchContext,
    images: readonly PlannedImage[],
    batches: Promise<void>[],
  ): Promise<{ readonly end: Promise<void> }> {
    this.#fetching += 1;
    const handOn = (fetched: readonly Fetched[]): void => {
      const work = () => this.#slabs.use((pixels) => indexFetched(context, fetched, pixels));
      const batch = this.#queue.add(work);
      batch.catch(() => undefined);
      batches.push(batch);
    };
    const { end } = await fetchPictures(fetcher, context, images, this.#setup.batchSize, handOn);
    const ended = end.finally(() => {
      this.#fetching -= 1;
    });
    ended.catch(() => undefined);
    this.#lastFetch = Promise.allSettled([this.#lastFetch, ended]);
    return { end: ended };
  }

  /** Whether no batch is under way: nothing else will join the pending commit. */
  get isIdle(): boolean {
    return this.#queue.size + this.#queue.pending + this.#fetching === 0;
  }

  /** Waits for what is downloaded and for the batches under way. */
  async idle(): Promise<void> {
    await this.#lastFetch;
    await this.#queue.onIdle();
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
