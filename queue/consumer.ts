import { setTimeout } from 'node:timers/promises';
import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq';
import { errorMessage, VlmoError } from '#errors.ts';
import { type BullOptions, bullOptions, CHUNKS, KEEP, QUERIES, RETRIEVALS } from './bull-queues.ts';
import type { RedisClient } from './connection.ts';
import {
  type ChunkJob,
  parseChunkJob,
  parseQueryJob,
  parseRetrievalJob,
  type QueryJob,
  type RetrievalJob,
} from './job.ts';
import { JobRefused, JobWorker } from './job-worker.ts';
import { isMoved, type Patience, patiently } from './patience.ts';
import { redisTime } from './redis-time.ts';

/** How a chunk job ended: for good, or to be given out again later with other data. */
export type ChunkOutcome =
  | { readonly kind: 'done'; readonly result: object }
  | { readonly kind: 'again'; readonly job: ChunkJob; readonly delayMs: number; readonly reason: string };

/** What throws fails its job, with its message as the reason. */
export type ChunkHandler = (job: ChunkJob, id: string) => Promise<ChunkOutcome>;
export type QueryHandler = (job: QueryJob) => Promise<object>;
export type RetrievalHandler = (job: RetrievalJob) => Promise<object>;

export interface ConsumerSetup {
  readonly client: RedisClient;
  readonly indexId: string;
  readonly takeChunk: ChunkHandler;
  readonly answerQuery: QueryHandler;
  readonly retrieve: RetrievalHandler;
  /** Chunks that are worked on at a time. */
  readonly concurrency: number;
  /** How long a job stays with a worker that gives no sign of life. */
  readonly lockDurationMs: number;
  /** Told of jobs that are refused, or given out again. */
  readonly onNote: (words: string) => void;
  /** Told of each time that Redis refuses something or does not answer; it is tried again for ever. */
  readonly onTrouble: (error: Error) => void;
}

/** A setup, and how Redis is waited for until the consumer is closed. */
interface Setup extends ConsumerSetup {
  readonly patience: Patience;
}

export interface Consumer {
  /** Takes no more, waits so long for what was taken, and gives back what is not done then. */
  close(drainMs: number): Promise<void>;
}

/** A small number would fail a job whose workers were killed that often through no fault of its own. */
const MAX_STALLS = 1_000_000;
const QUERIES_AT_A_TIME = 4;
/** How long giving back may take. */
const GIVE_BACK_MS = 1000;

interface Taken {
  readonly work: Promise<unknown>;
  readonly giveBack: () => Promise<void>;
}

/** Takes jobs of one index until it is closed. */
export function createConsumer(asked: ConsumerSetup): Consumer {
  const closing = new AbortController();
  const patience = { seconds: Infinity, signal: closing.signal, onTrouble: asked.onTrouble };
  const setup: Setup = { ...asked, patience };
  const taken = new Set<Taken>();
  const options = bullOptions(setup.client, setup.indexId);
  const chunks = startWorker(options, setup, CHUNKS, setup.concurrency, KEEP.chunks, (job, token) =>
    lend(setup.client, taken, job, token, () => processChunk(setup, job, token)),
  );
  const queries = startWorker(options, setup, QUERIES, QUERIES_AT_A_TIME, KEEP.queries, (job, token) =>
    lend(setup.client, taken, job, token, () => processQuery(setup, job)),
  );
  const retrievals = startWorker(options, setup, RETRIEVALS, 1, KEEP.retrievals, (job, token) =>
    lend(setup.client, taken, job, token, () => processRetrieval(setup, job)),
  );
  const workers = [chunks, queries, retrievals];
  return {
    async close(drainMs) {
      const end = performance.now() + drainMs;
      await Promise.all(workers.map((worker) => worker.pause(true)));
      if (!(await isWithin(untilIdle(taken), drainMs))) await giveBack(taken);
      // While Redis is away BullMQ would wait for it; what was not given back is given out again by the lock's end.
      const force = setup.client.status !== 'ready';
      const closed = Promise.all(workers.map((worker) => worker.close(force)));
      if (await isWithin(closed, end - performance.now())) return;
      closing.abort();
      // Taken in the last moment.
      await giveBack(taken);
      await isWithin(closed, GIVE_BACK_MS);
    },
  };
}

async function untilIdle(taken: ReadonlySet<Taken>): Promise<void> {
  while (taken.size > 0) await Promise.allSettled([...taken].map(({ work }) => work));
}

async function giveBack(taken: ReadonlySet<Taken>): Promise<void> {
  await isWithin(Promise.all([...taken].map((job) => job.giveBack())), GIVE_BACK_MS);
}

/** Whether it is done before this time is over. */
async function isWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const end = new AbortController();
  try {
    return await Promise.race([work.then(() => true), setTimeout(Math.max(0, ms), false, end)]);
  } finally {
    end.abort();
  }
}

function startWorker(
  options: BullOptions,
  { client, lockDurationMs, onNote, onTrouble, patience }: Setup,
  queue: string,
  concurrency: number,
  keep: (typeof KEEP)[keyof typeof KEEP],
  process: (job: Job, token: string) => Promise<unknown>,
): JobWorker {
  const times = {
    lockDuration: lockDurationMs,
    stalledInterval: lockDurationMs,
    maxStalledCount: MAX_STALLS,
  };
  const worker = new JobWorker(
    queue,
    process,
    { ...options, ...keep, concurrency, ...times },
    client,
    patience,
  );
  worker.on('error', (error) => (error instanceof JobRefused ? onNote(error.message) : onTrouble(error)));
  worker.on('stalled', (id) => onNote(`Job "${id}" of a worker that stopped is given out again`));
  return worker;
}

/** Runs the work on a job such that it can be given back in the middle: then the job waits, and the result is dropped. */
async function lend(
  client: RedisClient,
  taken: Set<Taken>,
  job: Job,
  token: string,
  work: () => Promise<unknown>,
): Promise<unknown> {
  const back = Promise.withResolvers<never>();
  const entry: Taken = {
    work: Promise.race([work(), back.promise]),
    async giveBack() {
      // Where its lock is lost, somebody else has it already.
      if (client.status === 'ready') await job.moveToWait(token).catch(() => undefined);
      back.reject(new WaitingError());
    },
  };
  taken.add(entry);
  try {
    return await entry.work;
  } finally {
    taken.delete(entry);
  }
}

async function processChunk(setup: Setup, job: Job, token: string): Promise<object> {
  const data = valid(() => parseChunkJob(job.data), setup, job);
  const items = data.items.length;
  showProgress(job, { items, attempt: data.attempt ?? 1 });
  const outcome = await failing(() => setup.takeChunk(data, job.id ?? ''));
  if (outcome.kind === 'done') {
    showProgress(job, { items, ...outcome.result });
    return outcome.result;
  }
  try {
    await patiently(async () => {
      // What is put back as it is stays as it is.
      if (outcome.job !== data) await job.updateData(outcome.job);
      showProgress(job, { items, waits: outcome.reason });
      await job.moveToDelayed(Date.now() + outcome.delayMs, token);
    }, setup.patience);
  } catch (error) {
    // It has been given out again, or will be, when its lock has run out.
    if (isMoved(error) || setup.patience.signal?.aborted) throw new WaitingError();
    throw error;
  }
  throw new DelayedError();
}

/** For whoever looks: the work does not wait for it, and Redis may refuse it. */
function showProgress(job: Job, progress: object): void {
  job.updateProgress(progress).catch(() => undefined);
}

async function processQuery(setup: Setup, job: Job): Promise<object> {
  const query = valid(() => parseQueryJob(job.data), setup, job);
  if (query.timeoutMs !== undefined && (await ageOf(setup.client, job)) > query.timeoutMs)
    throw new UnrecoverableError('Nobody waits for the answer any more [QUERY_TIMEOUT]');
  return failing(() => setup.answerQuery(query));
}

/** Milliseconds since a job was added, by the clock of Redis; 0 where that does not say. */
async function ageOf(client: RedisClient, { timestamp }: Job): Promise<number> {
  const now = await redisTime(client).catch(() => undefined);
  return now === undefined ? 0 : now - timestamp;
}

async function processRetrieval(setup: Setup, job: Job): Promise<object> {
  const data = valid(() => parseRetrievalJob(job.data), setup, job);
  return failing(() => setup.retrieve(data));
}

/** A job that cannot be understood fails at once, whatever its attempts: nothing will make it right. */
function valid<T>(parse: () => T, { onNote }: Setup, job: Job): T {
  try {
    return parse();
  } catch (error) {
    onNote(`Job "${job.id}" is refused: ${errorMessage(error)}`);
    throw unrecoverable(error);
  }
}

async function failing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unrecoverable(error);
  }
}

/** BullMQ keeps the message of an error only: the code goes at its end, as in every message to a person. */
function unrecoverable(error: unknown): Error {
  const code = error instanceof VlmoError ? ` [${error.code}]` : '';
  return new UnrecoverableError(`${errorMessage(error)}${code}`);
}
