import type { CommandConfig } from '#config/commands.ts';
import type { Config } from '#config/options.ts';
import { openQueues, type Queues } from '#queue/bull-queues.ts';
import { cleanJobs, drainChunks, pauseChunks, resumeChunks, retryFailedJobs } from '#queue/control.ts';
import { otherJobs } from '#queue/other-formats.ts';
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
import { openRedis, patienceOf, SUBMIT_SECONDS } from './open-queue.ts';
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
export const runPause = action(pause);
export const runResume = action(resume);
export const runDrain = action(drain);
export const runClean = action(clean);
export const runRetryFailed = action(retryFailed);

/** A command that opens index and queues, acts, and says what came of it. */
function action<Acts extends QueueConfig>(
  act: (store: Store, queues: Queues, config: Acts) => Promise<Answer>,
): (config: Acts) => Promise<void> {
  return async (config) => {
    await using store = await openStore(config.index, { create: false, write: true, note });
    const { redisPatience } = config as Partial<Config<'redisPatience'>>;
    const patience = redisPatience !== undefined && {
      seconds: patienceOf({ redisPatience }, SUBMIT_SECONDS),
    };
    const index = { folder: localFolderOf(store), id: store.id };
    await using redis = await openRedis(index, config, patience || undefined);
    const queues = openQueues(redis.client, store.id);
    try {
      process.exitCode = EXIT_DONE;
      const { json, words } = await act(store, queues, config);
      if (config.json) printJson(json);
      else print(words);
      for (const line of describeOtherJobs(await otherJobs(queues))) note(line);
    } finally {
      await queues.close();
    }
  };
}

async function pause(_: Store, queues: Queues): Promise<Answer> {
  await pauseChunks(queues);
  return {
    json: { paused: true },
    words: 'Paused. What workers have in hand is finished; "vlmo queue resume" goes on.',
  };
}

async function resume(_: Store, queues: Queues): Promise<Answer> {
  await resumeChunks(queues);
  return { json: { paused: false }, words: 'Jobs are taken again.' };
}

/** The runs first: else a worker would put back what it finds missing. */
async function drain(store: Store, queues: Queues): Promise<Answer> {
  const runs = await cancelRuns(store);
  const jobs = await drainChunks(queues);
  const words = `Took away ${counted(jobs, 'job')}; ${counted(runs.length, 'run')} cancelled.`;
  return { json: { jobs, runs: runs.map(({ id }) => id) }, words };
}

async function clean(_: Store, queues: Queues): Promise<Answer> {
  const json = await cleanJobs(queues);
  return {
    json,
    words: `Forgot ${formatCount(json.completed)} completed and ${formatCount(json.failed)} failed jobs.`,
  };
}

async function retryFailed(
  store: Store,
  queues: Queues,
  config: CommandConfig<'queue retry-failed'>,
): Promise<Answer> {
  using signals = stopOnSignals();
  const { record: generation } = await activeTables(store, config.collection);
  const jobs = await retryFailedJobs(queues);
  const { run, seen, isWhole } = await submitSource({
    source: createFailedSource(store, config.collection),
    ...{ store, generation, priority: 'normal', retryFailed: true, options: {} },
    producer: createPatientProducer(queues, config.maxWaiting, {
      seconds: patienceOf(config, SUBMIT_SECONDS),
    }),
    chunkItems: config.chunkItems,
    clock: await redisClock(queues.client),
    signal: signals.signal,
  });
  if (!isWhole) process.exitCode = EXIT_INTERRUPTED;
  const words = `Run ${run} tries ${counted(seen, 'item')} again; ${counted(jobs, 'failed job')} back in the queue.`;
  return { json: { run, items: seen, jobs }, words };
}
