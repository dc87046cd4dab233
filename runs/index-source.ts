import { chunks } from '#batches.ts';
import { Indexer, type IndexerSetup } from '#pipeline/indexer.ts';
import { createPlanner } from '#pipeline/lookup.ts';
import { type Progress, ProgressCounter } from '#pipeline/progress.ts';
import type { RunContext } from '#pipeline/run-context.ts';
import type { Source } from '#sources/item.ts';
import type { ReadingReport } from '#sources/reading-notes.ts';
import type { GenerationRecord, RunState, Truncated } from '#store/contract.ts';
import { untilAborted } from '#until-aborted.ts';
import { activateGeneration } from './activate.ts';
import { beginRun } from './begin.ts';
import { fitItems } from './fit-items.ts';
import { holdLease, type RunCounts } from './lease.ts';
import { type GoneItems, Pass, type Prune } from './pass.ts';
import { pruneFailures, untilOlderAreKnown, watchOlder } from './prune-failures.ts';
import { readBefore } from './read-before.ts';
import { RunWatch } from './run-watch.ts';
import { type SameContent, sameContent } from './same-content.ts';
import { TruncatedCount } from './truncated.ts';
import { withImagesOf } from './with-images-of.ts';

export interface IndexJob extends IndexerSetup {
  readonly source: Source;
  /** Id of the run; left out, a new one. */
  readonly run?: string | undefined;
  /** What the index knows it by; left out, its place. */
  readonly sourceName?: string | undefined;
  /** Name of the source of pictures that captions name by their ids alone; left out, whichever has them. */
  readonly imagesOf?: string | undefined;
  /** How the model computes, for the record. */
  readonly precision?: string;
  /** Try again what is listed as failed. */
  readonly retryFailed: boolean;
  /** Read files too that have not changed since they were read last. */
  readonly verify?: boolean | undefined;
  /** Whether what the source no longer lists is taken out; left out, it is counted. */
  readonly prune?: Prune | undefined;
  /** Stops taking items; what was taken is finished. */
  readonly signal: AbortSignal;
  /** Called once with a way to ask how far the run is. */
  readonly onStart?: (progress: () => Progress) => void;
}

export interface IndexSummary extends Progress {
  /** Of those embedded in this run. */
  readonly truncated: Truncated;
  /** What the source passed over; undefined where it cannot. */
  readonly reading: ReadingReport | undefined;
  /** What the source no longer lists; undefined where it was not read to its end. */
  readonly gone: GoneItems | undefined;
  /** Other sources with pictures of the same content, where the run has stored some. */
  readonly same: readonly SameContent[];
  /** Name of the source. */
  readonly source: string;
  readonly run: string;
  readonly state: RunState;
  readonly seconds: number;
  /** The generation that served the collection until this run was complete; undefined where nothing has changed. */
  readonly replaced: GenerationRecord | undefined;
}

/** Items looked up in the store at a time. */
const CHUNK_ITEMS = 512;

/**
 * Streams a source through decode, model and store. Memory is bounded by the batches in flight; every item ends as
 * stored, skipped or failed. Throws where the run cannot go on (the store cannot be written, the source is gone);
 * what was committed stays, and the next run goes on from there.
 */
export async function indexSource(job: IndexJob): Promise<IndexSummary> {
  const { store, source, signal } = job;
  const begun = performance.now();
  const progress = new ProgressCounter(() => source.fraction());
  const truncated = new TruncatedCount();
  const counts = (): RunCounts => ({ ...toCounts(progress.snapshot()), truncated });
  const indexer = new Indexer(job);
  const watch = new RunWatch();
  const run = await beginRun(store, {
    ...{ id: job.run, kind: 'direct', source: job.sourceName ?? source.uri, place: source.uri },
    ...{ generation: job.tables.record, options: { precision: job.precision } },
  });
  const end = (state: RunState): Promise<void> =>
    store.runs.upsert({ ...run, ...counts(), state, endedAt: new Date(), owner: null, lease: null });
  const lease = holdLease(store, run, counts);
  let gone: GoneItems | undefined;
  let same: readonly SameContent[] = [];
  try {
    job.onStart?.(() => progress.snapshot());
    await watchOlder(store, run, watch);
    const pass = await Pass.begin(store, { ...run, run: run.id });
    await stream(job, pass, indexer, progress, {
      ...{ run: run.id, runNumber: run.number, retryFailed: job.retryFailed, verify: job.verify },
      add: (count, kind, items) => progress.add(count, kind, items),
      onTruncated: ({ id }) => truncated.add(id),
    });
    await indexer.writer.flush();
    if (!signal.aborted) await untilOlderAreKnown(store, run, watch, signal);
    if (!signal.aborted) await pruneFailures(store, run, watch);
    if (!signal.aborted)
      gone = await pass.end({ prune: job.prune ?? false, reading: source.report?.(), signal });
    await indexer.writer.tidy();
    if (!signal.aborted && progress.snapshot().kinds.images.stored > 0)
      same = await sameContent(store, run.collection, job.tables.images, run.source);
  } catch (error) {
    await indexer.writer.abandon();
    await lease[Symbol.asyncDispose]();
    // The reason for the end matters more than a run record that cannot be written either.
    await end('failed').catch(() => undefined);
    throw error;
  }
  await lease[Symbol.asyncDispose]();
  const state = signal.aborted ? 'interrupted' : 'complete';
  const replaced = state === 'complete' ? await activateGeneration(store, run) : undefined;
  await end(state);
  return {
    ...progress.snapshot(),
    source: run.source,
    run: run.id,
    state,
    truncated,
    reading: source.report?.(),
    gone,
    same,
    seconds: (performance.now() - begun) / 1000,
    replaced,
  };
}

/** Hands the items to the indexer, chunk by chunk, until the source ends or a batch fails. */
async function stream(
  job: IndexJob,
  pass: Pass,
  indexer: Indexer,
  progress: ProgressCounter,
  runContext: RunContext,
): Promise<void> {
  const failure = new AbortController();
  const plan = await createPlanner(job.store, job.tables);
  const context = { ...runContext, signal: AbortSignal.any([job.signal, failure.signal]) };
  try {
    const name = job.sourceName ?? job.source.uri;
    const before = job.verify ? undefined : await readBefore(job.store, job.tables, name);
    const read = pass.watch(untilAborted(job.source.items(job.signal, before), job.signal));
    for await (const items of chunks(fitItems(withImagesOf(read, job.imagesOf)), CHUNK_ITEMS)) {
      for (const { kind } of items) progress.add('seen', kind);
      const { end } = await indexer.begin(context, await plan(items, name));
      end.catch((error: unknown) => failure.abort(error));
      failure.signal.throwIfAborted();
    }
  } finally {
    await indexer.idle();
  }
  failure.signal.throwIfAborted();
}

function toCounts({ seen, stored, skipped, failed, kinds }: Progress): Omit<RunCounts, 'truncated'> {
  return { seen, stored, skipped, failed, kinds };
}
