import { chunks } from '#batches.ts';
import { ProgressCounter } from '#pipeline/progress.ts';
import type { Priority, Producer } from '#queue/producer.ts';
import type { Item, Source } from '#sources/item.ts';
import type { ReadingReport } from '#sources/reading-notes.ts';
import type { GenerationRecord, KindCounts, SeenCount, Store, Truncated } from '#store/contract.ts';
import { untilAborted } from '#until-aborted.ts';
import { type Chunk, toChunks } from './chunk-jobs.ts';
import { fitItems } from './fit-items.ts';
import { holdLease } from './lease.ts';
import { openRun } from './open-run.ts';
import { type GoneItems, Pass, type Prune } from './pass.ts';
import { readBefore } from './read-before.ts';
import { TruncatedCount } from './truncated.ts';
import { withImagesOf } from './with-images-of.ts';

export interface Submission {
  /** Id of the run, where none goes on; left out, a new one. */
  readonly run?: string | undefined;
  readonly source: Source;
  /** What the index knows it by; left out, its place. */
  readonly sourceName?: string | undefined;
  /** Name of the source of pictures that captions name by their ids alone; left out, whichever has them. */
  readonly imagesOf?: string | undefined;
  readonly store: Store;
  readonly producer: Producer;
  readonly generation: GenerationRecord;
  readonly priority: Priority;
  /** Try again what is listed as failed. */
  readonly retryFailed: boolean;
  /** Read files too that have not changed since they were read last. */
  readonly verify?: boolean | undefined;
  /** Whether what the source no longer lists is taken out; left out, it is counted. */
  readonly prune?: Prune | undefined;
  /** What else was asked, for telling two submissions of one source apart. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Items of one job. */
  readonly chunkItems: number;
  /** The clock of Redis, by which the times of a queued run are. */
  readonly clock?: () => Date;
  /** Whether the model reads the beginning of a caption only, for counting those; left out, none is counted. */
  readonly isCut?: (caption: string) => boolean;
  /** Stops reading; what was read is submitted. */
  readonly signal: AbortSignal;
  /** Called once with a way to ask how far the submission is. */
  readonly onStart?: (progress: () => Submitted) => void;
}

/** How far a submission is. */
export interface Submitted {
  readonly run: string;
  /** Items read. */
  readonly seen: number;
  /** Pictures and captions of them apart. */
  readonly kinds: KindCounts<SeenCount>;
  /** Part of the source that was read, 0 to 1; undefined while it cannot be told. */
  readonly fraction: number | undefined;
  /** Chunk jobs made of them, and those of them that were not in Redis before. */
  readonly chunks: number;
  readonly added: number;
  /** Whether an unfinished run over the same source goes on. */
  readonly isResumed: boolean;
  readonly isWhole: boolean;
  /** What the source passed over so far; undefined where it cannot. */
  readonly reading: ReadingReport | undefined;
  /** What the source no longer lists; undefined until it was read to its end. */
  readonly gone: GoneItems | undefined;
  /** Captions longer than the model reads, of those read. */
  readonly truncated: Truncated;
}

/** Chunks that are written to the ledger in one commit and then to Redis: one commit takes some 10 ms. */
const CHUNKS_PER_COMMIT = 32;

/**
 * Streams a source into chunk jobs: first into the ledger of its run, then into Redis, which may forget. A source that
 * was submitted before and is not done yet goes on as the same run, unless another process submits it just now: chunks are
 * known by their content, and done once. Memory is bounded by two commits. Throws what the source, the store and Redis
 * throw; then the same call goes on.
 */
export async function submitSource(submission: Submission): Promise<Submitted> {
  const { source, store, producer, generation, retryFailed } = submission;
  const { imagesOf } = submission;
  const verify = submission.verify || undefined;
  const options = { ...submission.options, imagesOf, retryFailed, verify };
  const request = {
    id: submission.run,
    ...({ kind: 'queued', source: submission.sourceName ?? source.uri, place: source.uri } as const),
    ...{ generation, options },
  };
  const { run, isResumed } = await openRun(store, request, submission.signal, submission.clock?.());
  const pass = await Pass.begin(store, { ...run, run: run.id });
  const tables = await store.tables(generation);
  const before = verify ? undefined : await readBefore(store, tables, run.source);
  const lost = new AbortController();
  const signal = AbortSignal.any([submission.signal, lost.signal]);
  const settled = isResumed ? await settledChunks(store, run.id) : new Set<string>();
  const met = new Set<string>();
  const counts = { seen: 0, chunks: 0, added: 0 };
  const read = new ProgressCounter(() => undefined);
  const truncated = new TruncatedCount();
  let gone: GoneItems | undefined;
  const progress = (isWhole = false): Submitted => ({
    ...{ run: run.id, isResumed, isWhole, fraction: source.fraction() },
    reading: source.report?.(),
    truncated,
    gone,
    kinds: read.snapshot().kinds,
    ...counts,
  });
  submission.onStart?.(progress);

  async function submit(some: readonly Chunk[]): Promise<void> {
    await store.ledger.addChunks(some.map(({ record }) => record));
    const open = some.filter(({ record }) => !settled.has(record.id));
    counts.added += await producer.add(
      open.map(({ record: { id, priority }, job }) => ({ id, priority, job })),
      signal,
    );
  }

  const lease = holdLease(
    store,
    run,
    () => ({ seen: counts.seen, stored: 0, skipped: 0, failed: 0, kinds: read.snapshot().kinds, truncated }),
    () => lost.abort(),
  );
  // The next chunks are read while the last ones are written.
  let writing: Promise<void> = Promise.resolve();
  const stream = withImagesOf(
    pass.watch(untilAborted(source.items(signal, before), signal)),
    submission.imagesOf,
  );
  const items = countItems(fitItems(stream), submission, truncated, read);
  const common = {
    run: run.id,
    collection: generation.collection,
    generation: generation.name,
    retryFailed,
    verify,
  };
  try {
    try {
      for await (const some of chunks(toChunks(items, common, submission), CHUNKS_PER_COMMIT)) {
        await writing;
        writing = submit(some);
        writing.catch(() => undefined);
        counts.chunks += some.length;
        for (const {
          record: { id, items },
        } of some) {
          counts.seen += items;
          if (isResumed) met.add(id);
        }
      }
      await writing;
    } catch (error) {
      await writing.catch(() => undefined);
      if (!signal.aborted) throw error;
    }
    if (!signal.aborted)
      gone = await pass.end({ prune: submission.prune ?? false, reading: source.report?.(), signal });
    await lease[Symbol.asyncDispose]();
    if (isResumed && !signal.aborted) await takeBack(submission, run.id, met);
    const { items: seen } = await store.ledger.tally(run.id);
    const isWhole = !signal.aborted;
    const { kinds } = read.snapshot();
    const left = { ...run, seen, kinds, submitted: isWhole, owner: null, lease: null, truncated };
    return progress((await store.runs.update(left, run.owner)) && isWhole);
  } catch (error) {
    await lease[Symbol.asyncDispose]();
    // The next one that submits the same need not find out that this one is gone.
    await store.runs.update({ ...run, owner: null, lease: null }, run.owner).catch(() => undefined);
    throw error;
  }
}

async function* countItems(
  items: AsyncIterable<Item>,
  { isCut }: Submission,
  truncated: TruncatedCount,
  read: ProgressCounter,
): AsyncGenerator<Item> {
  for await (const item of items) {
    read.add('seen', item.kind);
    if (item.kind === 'caption' && isCut?.(item.caption)) truncated.add(item.id);
    yield item;
  }
}

/** Chunks of a run that have their result, whatever Redis still knows of them. */
async function settledChunks(store: Store, run: string): Promise<Set<string>> {
  const settled = new Set<string>();
  for await (const id of store.ledger.ids(run)) settled.add(id);
  for await (const id of store.ledger.unsettled(run)) settled.delete(id);
  return settled;
}

/** Chunks of an earlier reading of the source that this one did not meet: it has changed since. */
async function takeBack(
  { store, producer }: Submission,
  run: string,
  met: ReadonlySet<string>,
): Promise<void> {
  const gone: string[] = [];
  for await (const id of store.ledger.ids(run)) if (!met.has(id)) gone.push(id);
  if (gone.length === 0) return;
  await store.ledger.remove(run, gone);
  await producer.remove(gone);
}
