import { type Engine, EngineDied } from '#engine/engine.ts';
import { type ErrorCode, isOfTheMachine, VlmoError } from '#errors.ts';
import type { ChunkTally } from '#pipeline/index-chunk.ts';
import { backoffMs, doublingMs } from '#queue/backoff.ts';
import type { ChunkHandler, ChunkOutcome } from '#queue/consumer.ts';
import type { ChunkJob } from '#queue/job.ts';
import type { Item } from '#sources/item.ts';
import type { GenerationRecord, ItemKind, KindCount, KindCounts, Store } from '#store/contract.ts';
import { DEFAULT_SOURCE } from '#store/item-key.ts';
import { addKinds, NO_KINDS } from '#store/kind-counts.ts';
import { indexItems } from './bisect-crash.ts';
import { GroupCommit } from './group-commit.ts';
import type { Logger } from './log.ts';
import { isTriedAgain } from './retry-policy.ts';
import { SharedLock } from './shared-lock.ts';

interface Deps {
  readonly store: Store;
  readonly engine: Engine;
  readonly log: Logger;
  /** The clock of Redis, which all workers share. */
  readonly clock?: () => Date;
  /** Told of each chunk of a run that has its result. */
  onSettled(run: string): void;
}

/** As `beginRun` makes them. */
const RUN_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const PUT_BACK_MS = 5000;

/**
 * What is done with a chunk job: its items through the engine, those that may do better later in the same job again,
 * and its result into the ledger of its run. A job of another program may belong to no run; its result is what BullMQ
 * keeps of it. A job whose run the index
 * does not have goes back as it is. Throws JOB_INVALID for what can be no run, and for a generation that there is not.
 */
export function createChunkHandler({
  store,
  engine,
  log,
  clock = () => new Date(),
  onSettled,
}: Deps): ChunkHandler {
  const lock = new SharedLock();
  const groupCommit = new GroupCommit(store.ledger);
  /** Since when the store or the engine has refused every chunk. */
  let refusedSince: number | undefined;

  async function take(job: ChunkJob, id: string): ReturnType<ChunkHandler> {
    const run = job.run === undefined ? undefined : await store.runs.find(job.run);
    if (job.run !== undefined && !run) return putBack(job, job.run);
    if (run && run.state !== 'running')
      return { kind: 'done', result: { passedOver: `run ${run.id} has ended` } };
    const generation = await findGeneration(store, job);
    const attempt = job.attempt ?? 1;
    const request = {
      ...{ run: run?.id ?? `job ${id}`, runNumber: run?.number ?? null },
      source: job.source ?? run?.source ?? DEFAULT_SOURCE,
      ...{ generation, retryFailed: job.retryFailed ?? false, verify: job.verify },
    };
    const tally = await indexItems(engine, lock, {
      ...request,
      items: run ? job.items : job.items.map(byIdAlone),
    });
    refusedSince = undefined;
    const again = tally.failures.filter(({ error }) => isTriedAgain(error.code, attempt));
    for (const { item, error, attempts } of tally.failures)
      log.warn({ run: job.run, job: id, item: item.id, code: error.code, attempts }, error.message);
    const done = addTallies(
      job.tally,
      tally,
      again.map(({ item }) => item),
    );
    if (again.length > 0) {
      const items = again.map(({ item }) => item);
      const reason = `${items.length} of its items are tried again`;
      const next = { ...job, items, attempt: attempt + 1, tally: done };
      return { kind: 'again', job: next, delayMs: backoffMs(attempt), reason };
    }
    if (job.run !== undefined) {
      await groupCommit.add({ run: job.run, chunk: id, ...done, at: clock() });
      onSettled(job.run);
    }
    log.info({ run: job.run, job: id, ...done }, 'chunk done');
    return { kind: 'done', result: done };
  }

  return async (job, id) => {
    try {
      return await take(job, id);
    } catch (error) {
      if (!isPassing(error)) throw error;
      refusedSince ??= Date.now();
      const reason = error instanceof Error ? error.message : String(error);
      log.error({ run: job.run, job: id }, `The chunk is put off: ${reason}`);
      return { kind: 'again', job, delayMs: doublingMs(Date.now() - refusedSince), reason };
    }
  };
}

/** What a person mends (a full disk, memory that the model does not fit in): the job waits for it, however long. */
function isPassing(error: unknown): boolean {
  if (error instanceof EngineDied) return true;
  return isOfTheMachine(error) || (error instanceof VlmoError && PASSING.has(error.code));
}

/** STORE_VERSION_UNSUPPORTED ends this worker too, and a worker of a newer version takes the job; MODEL_CHANGED waits for one of the version whose model it is. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'STORE_WRITE_FAILED',
  'STORE_READ_FAILED',
  'STORE_TABLE_LOST',
  'STORE_VERSION_UNSUPPORTED',
  'MODEL_CHANGED',
]);

/** Whoever wrote a job by hand need not say which source a picture is of. */
function byIdAlone(item: Item): Item {
  return item.kind === 'caption' ? { ...item, imageSource: item.imageSource ?? null } : item;
}

/** A run of `vlmo submit` that this ledger does not have is one of an index that this one was copied from, or restored over. */
function putBack(job: ChunkJob, run: string): ChunkOutcome {
  if (!RUN_ID.test(run)) throw jobInvalid('run', 'the id of a run of this index, or none', run);
  return { kind: 'again', job, delayMs: PUT_BACK_MS, reason: `run ${run} is not in this index` };
}

async function findGeneration(store: Store, { collection, generation }: ChunkJob): Promise<GenerationRecord> {
  if (generation === undefined) {
    const active = await store.activeGeneration(collection);
    if (active) return active;
    throw jobInvalid('collection', 'a collection of this index', collection);
  }
  const known = (await store.generations()).find(({ name }) => name === generation);
  if (known?.collection === collection) return known;
  throw jobInvalid('generation', `a generation of collection "${collection}"`, generation);
}

function jobInvalid(field: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'JOB_INVALID',
    `Cannot take job: expected "${field}" to be ${expected}, received "${received}"`,
  );
}

/** Items of a job that are done, of earlier attempts too; those that are tried again are not. */
function addTallies(
  before: ChunkJob['tally'],
  { stored, skipped, failed, kinds }: ChunkTally,
  again: readonly Item[],
): ChunkCounts {
  const open = (kind: ItemKind): KindCount => {
    const count = again.filter((item) => item.kind === kind).length;
    return { stored: 0, skipped: 0, failed: -count };
  };
  const done = addKinds(kinds, { images: open('image'), captions: open('caption') });
  return {
    stored: stored + (before?.stored ?? 0),
    skipped: skipped + (before?.skipped ?? 0),
    failed: failed - again.length + (before?.failed ?? 0),
    kinds: addKinds(done, before?.kinds ?? NO_KINDS),
  };
}

type ChunkCounts = NonNullable<ChunkJob['tally']> & { readonly kinds: KindCounts };
