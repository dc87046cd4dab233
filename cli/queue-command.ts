import type { CommandConfig } from '#config/commands.ts';
import { openQueues, type Queues } from '#queue/bull-queues.ts';
import { cleanJobs, drainChunks, pauseChunks, resumeChunks, retryFailedJobs } from '#queue/control.ts';
import { otherJobs } from '#queue/other-formats.ts';
import { type Patience, patiently } from '#queue/patience.ts';
import { createPatientProducer } from '#queue/producer.ts';
import { redisClock } from '#queue/redis-time.ts';
import { cancelRuns } from '#runs/cancel.ts';
import { createFailedSource } from '#runs/failed-source.ts';
import { submitSource } from '#runs/submit.ts';
import { activeTables } from '#search/active-tables.ts';
import type { Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { localFolderOf } from '#store/local-folder.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { ACTION_SECONDS, openRedis, patienceOf, SUBMIT_SECONDS, sayTrouble } from './open-queue.ts';
import { describeOtherJobs } from './other-jobs.ts';
import { counted, formatCount, note, print, printJson } from './output.ts';
import { stopOnSignals } from './signals.ts';

/** What an action answers: for `--json`, and in words. */
interface Answer {
  readonly json: object;
  readonly words: string;
}

type QueueConfig = CommandConfig<'queue pause'>;

/** `vlmo queue …`: what a person does to the jobs of an index. */
export const runPause = action(pause, ACTION_SECONDS);
export const runResume = action(resume, ACTION_SECONDS);
export const runDrain = action(drain, ACTION_SECONDS);
export const runClean = action(clean, ACTION_SECONDS);
export const runRetryFailed = action(retryFailed, SUBMIT_SECONDS);

/** What an action works on. */
interface Opened<Acts> {
  readonly store: Store;
  readonly queues: Queues;
  readonly config: Acts;
  readonly patience: Patience;
}

/** A command that opens index and queues, acts, and says what came of it; it waits `auto` seconds for Redis unless it is told. */
function action<Acts extends QueueConfig>(
  act: (opened: Opened<Acts>) => Promise<Answer>,
  auto: number,
): (config: Acts) => Promise<void> {
  return async (config) => {
    await using store = await openStore(config.index, { create: false, write: true, note });
    const patience = { seconds: patienceOf(config, auto), onTrouble: sayTrouble() };
    const index = { folder: localFolderOf(store), id: store.id };
    await using redis = await openRedis(index, config, patience);
    const queues = openQueues(redis.client, store.id);
    try {
      process.exitCode = EXIT_DONE;
      const { json, words } = await act({ store, queues, config, patience });
      if (config.json) printJson(json);
      else print(words);
      for (const line of describeOtherJobs(await patiently(() => otherJobs(queues), patience))) note(line);
    } finally {
      await queues.close();
    }
  };
}

async function pause({ queues, patience }: Opened<QueueConfig>): Promise<Answer> {
  await patiently(() => pauseChunks(queues), patience);
  return {
    json: { paused: true },
    words: 'Paused. What workers have in hand is finished; "vlmo queue resume" goes on.',
  };
}

async function resume({ queues, patience }: Opened<QueueConfig>): Promise<Answer> {
  await patiently(() => resumeChunks(queues), patience);
  return { json: { paused: false }, words: 'Jobs are taken again.' };
}

/** The runs first: else a worker would put back what it finds missing. */
async function drain({ store, queues, patience }: Opened<QueueConfig>): Promise<Answer> {
  const runs = await cancelRuns(store);
  const jobs = await patiently(() => drainChunks(queues), patience);
  const words = `Took away ${counted(jobs, 'job')}; ${counted(runs.length, 'run')} cancelled.`;
  return { json: { jobs, runs: runs.map(({ id }) => id) }, words };
}

async function clean({ queues, patience }: Opened<QueueConfig>): Promise<Answer> {
  const json = await patiently(() => cleanJobs(queues), patience);
  return {
    json,
    words: `Forgot ${formatCount(json.completed)} completed and ${formatCount(json.failed)} failed jobs.`,
  };
}

async function retryFailed({
  store,
  queues,
  config,
  patience,
}: Opened<CommandConfig<'queue retry-failed'>>): Promise<Answer> {
  using signals = stopOnSignals();
  const { record: generation } = await activeTables(store, config.collection);
  const jobs = await patiently(() => retryFailedJobs(queues), patience);
  const { run, seen, isWhole } = await submitSource({
    source: createFailedSource(store, config.collection),
    ...{ store, generation, priority: 'normal', retryFailed: true, options: {} },
    producer: createPatientProducer(queues, config.maxWaiting, patience),
    chunkItems: config.chunkItems,
    clock: await patiently(() => redisClock(queues.client), patience),
    signal: signals.signal,
  });
  if (!isWhole) process.exitCode = EXIT_INTERRUPTED;
  const words = `Run ${run} tries ${counted(seen, 'item')} again; ${counted(jobs, 'failed job')} back in the queue.`;
  return { json: { run, items: seen, jobs }, words };
}
