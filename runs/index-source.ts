import { randomUUID } from 'node:crypto';
import { chunks } from '#batches.ts';
import { Indexer, type IndexerSetup } from '#pipeline/indexer.ts';
import { createPlanner } from '#pipeline/lookup.ts';
import { type Progress, ProgressCounter } from '#pipeline/progress.ts';
import type { RunContext } from '#pipeline/run-context.ts';
import { untilAborted } from '#pipeline/until-aborted.ts';
import type { Source } from '#sources/item.ts';
import type { RunRecord, RunState } from '#store/contract.ts';
import { pruneFailures } from './prune-failures.ts';

export interface IndexJob extends IndexerSetup {
  readonly source: Source;
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

/**
 * Streams a source through decode, model and store. Memory is bounded by the batches in flight; every item ends as
 * stored, skipped or failed. Throws where the run cannot go on (the store cannot be written, the source is gone);
 * what was committed stays, and the next run goes on from there.
 */
export async function indexSource(job: IndexJob): Promise<IndexSummary> {
  const started = new Date();
  const run = randomUUID();
  const progress = new ProgressCounter(() => job.source.fraction());
  const indexer = new Indexer(job);
  const record = (state: RunState): RunRecord => toRecord(job, run, state, started, progress.snapshot());
  await job.store.runs.upsert(record('running'));
  job.onStart?.(() => progress.snapshot());
  try {
    await stream(job, indexer, run, progress);
    await indexer.writer.flush();
    if (!job.signal.aborted)
      await pruneFailures(job.store, job.tables.record.collection, { source: job.source.uri, run });
    await indexer.writer.tidy();
  } catch (error) {
    await indexer.writer.abandon();
    // The reason for the end matters more than a run record that cannot be written either.
    await job.store.runs.upsert(record('failed')).catch(() => undefined);
    throw error;
  }
  const state = job.signal.aborted ? 'interrupted' : 'complete';
  await job.store.runs.upsert(record(state));
  return { ...progress.snapshot(), run, state, seconds: (Date.now() - started.getTime()) / 1000 };
}

/** Hands the items to the indexer, chunk by chunk, until the source ends or a batch fails. */
async function stream(
  job: IndexJob,
  indexer: Indexer,
  run: string,
  progress: ProgressCounter,
): Promise<void> {
  const failure = new AbortController();
  const plan = await createPlanner(job.store, job.tables);
  const runContext: RunContext = {
    run,
    retryFailed: job.retryFailed,
    add: (count, items) => progress.add(count, items),
  };
  try {
    for await (const items of chunks(untilAborted(job.source.items(job.signal), job.signal), CHUNK_ITEMS)) {
      progress.add('seen', items.length);
      const { end } = await indexer.begin(runContext, await plan(items));
      end.catch((error: unknown) => failure.abort(error));
      failure.signal.throwIfAborted();
    }
  } finally {
    await indexer.idle();
  }
  failure.signal.throwIfAborted();
}

function toRecord(
  job: IndexJob,
  id: string,
  state: RunState,
  startedAt: Date,
  { seen, stored, skipped, failed }: Progress,
): RunRecord {
  const { collection, name: generation } = job.tables.record;
  const source = job.source.uri;
  const endedAt = state === 'running' ? null : new Date();
  const asked = { kind: 'direct', submitted: true, options: '{}' } as const;
  const counts = { seen, stored, skipped, failed };
  return { id, source, collection, generation, state, ...counts, startedAt, endedAt, ...asked };
}
