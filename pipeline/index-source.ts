import { randomUUID } from 'node:crypto';
import PQueue from 'p-queue';
import type { Item, Source } from '#sources/item.ts';
import type { GenerationTables, RunRecord, RunState, Store } from '#store/contract.ts';
import type { InferencePool, PreprocessPool } from '#workers/pools.ts';
import { indexCaptions } from './captions.ts';
import { chunks, cut } from './chunks.ts';
import type { RunContext } from './context.ts';
import { dropGone } from './gone.ts';
import { indexPictures } from './pictures.ts';
import { type ChunkPlan, createPlanner, type Planned, type PlannedBroken, type Planner } from './plan.ts';
import { type Progress, ProgressCounter } from './progress.ts';
import { SlabPool } from './slabs.ts';
import { Writer } from './writer.ts';

export interface IndexJob {
  readonly source: Source;
  readonly store: Store;
  readonly tables: GenerationTables;
  readonly preprocess: PreprocessPool;
  readonly inference: InferencePool;
  /** Pictures of one run of the model. */
  readonly batchSize: number;
  /** Bytes of one preprocessed picture, [C, H, W] float32. */
  readonly pictureBytes: number;
  /** Try again what is listed as failed. */
  readonly retryFailed: boolean;
  /** Stops taking items; what was taken is finished. */
  readonly signal: AbortSignal;
  /** Called once with a way to ask how far the run is. */
  readonly onStart?: (progress: () => Progress) => void;
}

export interface IndexSummary extends Progress {
  readonly run: string;
  readonly state: RunState;
  readonly seconds: number;
}

/** Items looked up in the store at a time. */
const CHUNK_ITEMS = 512;
const CAPTIONS_PER_BATCH = 32;

/**
 * Streams a source through decode, model and store. Memory is bounded by the batches in flight; every item ends as
 * stored, skipped or failed. Throws where the run cannot go on (the store cannot be written, the source is gone);
 * what was committed stays, and the next run goes on from there.
 */
export async function indexSource(job: IndexJob): Promise<IndexSummary> {
  const started = new Date();
  const run = randomUUID();
  const progress = new ProgressCounter(() => job.source.fraction());
  const writer = new Writer(job.store, job.tables, run, progress);
  const context: RunContext = { ...job, run, writer, progress };
  const record = (state: RunState): RunRecord => toRecord(job, run, state, started, progress.snapshot());
  await job.store.runs.upsert(record('running'));
  job.onStart?.(() => progress.snapshot());
  try {
    const planner = await createPlanner(job.store, job.tables);
    await stream(job, context, planner);
    await writer.close();
    if (!job.signal.aborted) await dropGone(job, planner, run);
    await writer.tidy();
  } catch (error) {
    await writer.abandon();
    // The reason for the end matters more than a run record that cannot be written either.
    await job.store.runs.upsert(record('failed')).catch(() => undefined);
    throw error;
  }
  const state = job.signal.aborted ? 'interrupted' : 'complete';
  await job.store.runs.upsert(record(state));
  return { ...progress.snapshot(), run, state, seconds: (Date.now() - started.getTime()) / 1000 };
}

/** Keeps as many batches in flight as keep every thread busy, and no more. */
async function stream(job: IndexJob, context: RunContext, planner: Planner): Promise<void> {
  const inFlight = job.preprocess.threads + 2 * job.inference.threads;
  const slabs = new SlabPool(job.batchSize * job.pictureBytes);
  const queue = new PQueue({ concurrency: inFlight });
  const failure = new AbortController();
  const submit = async (work: () => Promise<void>): Promise<void> => {
    await queue.onSizeLessThan(1);
    failure.signal.throwIfAborted();
    queue.add(work).catch((error: unknown) => failure.abort(error));
  };
  try {
    for await (const items of chunks(untilAborted(job.source.items(job.signal), job.signal), CHUNK_ITEMS)) {
      context.progress.add('seen', items.length);
      const { images, captions, broken } = await planner.plan(items);
      for (const batch of cut(images, job.batchSize)) {
        await submit(() => slabs.use((pixels) => indexPictures(context, batch, pixels)));
      }
      for (const batch of cut(byLength(captions), CAPTIONS_PER_BATCH))
        await submit(() => indexCaptions(context, batch));
      for (const planned of broken) await recordBroken(context, planned);
    }
  } finally {
    await queue.onIdle();
  }
  failure.signal.throwIfAborted();
}

/** Ends the stream when the run is told to stop, whatever the source does then. */
async function* untilAborted(items: AsyncIterable<Item>, signal: AbortSignal): AsyncGenerator<Item> {
  try {
    for await (const item of items) {
      yield item;
      if (signal.aborted) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Captions of like length share a batch: a batch is padded to its longest. */
function byLength(captions: ChunkPlan['captions']): ChunkPlan['captions'] {
  return captions.toSorted((a, b) => a.item.caption.length - b.item.caption.length);
}

async function recordBroken(
  { writer, progress, retryFailed }: RunContext,
  planned: PlannedBroken,
): Promise<void> {
  const { item, failure }: Planned<PlannedBroken['item'], never> = planned;
  if (!retryFailed && failure?.message === item.error.message) {
    progress.add('failed');
    progress.add('knownFailures');
  } else await writer.addFailure(planned, item.error, null);
}

function toRecord(
  job: IndexJob,
  id: string,
  state: RunState,
  startedAt: Date,
  progress: Progress,
): RunRecord {
  const { seen, stored, skipped, failed } = progress;
  const { name: generation, collection } = job.tables.record;
  const endedAt = state === 'running' ? null : new Date();
  return {
    id,
    source: job.source.uri,
    collection,
    generation,
    state,
    seen,
    stored,
    skipped,
    failed,
    startedAt,
    endedAt,
  };
}
