import { Command } from 'commander';
import { openQueues, type Queues } from '#queue/bull-queues.ts';
import { cleanJobs, drainChunks, retryFailedJobs } from '#queue/control.ts';
import { createProducer } from '#queue/producer.ts';
import { cancelRuns } from '#runs/cancel.ts';
import { createFailedSource } from '#runs/failed-source.ts';
import { submitSource } from '#runs/submit.ts';
import { activeTables } from '#search/active-tables.ts';
import type { Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { addConfigOptions, readConfig } from './config-options.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { addRedisOption, openRedis, type RedisFlags } from './open-queue.ts';
import { counted, formatCount, print, printJson } from './output.ts';
import { stopOnSignals } from './signals.ts';

interface QueueFlags extends RedisFlags {
  readonly index: string;
  readonly json?: true;
}

interface RetryFlags extends QueueFlags {
  readonly collection: string;
}

/** What an action answers: for `--json`, and in words. */
interface Answer {
  readonly json: object;
  readonly words: string;
}

const RETRY_OPTIONS = ['chunkItems', 'maxWaiting'] as const;

/** `vlmo queue`: what a person does to the jobs of an index. */
export function queueCommand(): Command {
  const queue = new Command('queue').description('Pause, resume, empty and mend the queue of an index');
  queue.addCommand(action('pause', 'Let no more chunk jobs be taken; searches go on', pause));
  queue.addCommand(action('resume', 'Let chunk jobs be taken again', resume));
  queue.addCommand(
    action('drain', 'Take away all that waits and end the runs it is of; what is stored stays', drain),
  );
  queue.addCommand(action('clean', 'Forget the jobs that are over; what they did stays in the index', clean));
  const retry = action('retry-failed', 'Try again what is listed as failed', retryFailed).option(
    '--collection <name>',
    'the collection',
    'default',
  );
  queue.addCommand(addConfigOptions(retry, RETRY_OPTIONS));
  return queue;
}

function action<Flags extends QueueFlags>(
  name: string,
  description: string,
  act: (store: Store, queues: Queues, flags: Flags) => Promise<Answer>,
): Command {
  const command = new Command(name)
    .description(description)
    .requiredOption('--index <folder>', 'the index')
    .option('--json', 'print JSON');
  return addRedisOption(command).action(async (flags: Flags) => {
    await using store = await openStore(flags.index, { create: false });
    await using redis = await openRedis(store, flags);
    const queues = openQueues(redis.client, store.id);
    try {
      process.exitCode = EXIT_DONE;
      const { json, words } = await act(store, queues, flags);
      if (flags.json) printJson(json);
      else print(words);
    } finally {
      await queues.close();
    }
  });
}

async function pause(_: Store, { chunks }: Queues): Promise<Answer> {
  await chunks.pause();
  return {
    json: { paused: true },
    words: 'Paused. What workers have in hand is finished; "vlmo queue resume" goes on.',
  };
}

async function resume(_: Store, { chunks }: Queues): Promise<Answer> {
  await chunks.resume();
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

async function retryFailed(store: Store, queues: Queues, flags: RetryFlags): Promise<Answer> {
  const config = await readConfig(RETRY_OPTIONS, flags);
  using signals = stopOnSignals();
  const { record: generation } = await activeTables(store, flags.collection);
  const jobs = await retryFailedJobs(queues);
  const { run, seen, isWhole } = await submitSource({
    source: createFailedSource(store, flags.collection),
    ...{ store, generation, priority: 'normal', retryFailed: true, options: {} },
    producer: createProducer(queues, config.maxWaiting),
    chunkItems: config.chunkItems,
    signal: signals.signal,
  });
  if (!isWhole) process.exitCode = EXIT_INTERRUPTED;
  const words = `Run ${run} tries ${counted(seen, 'item')} again; ${counted(jobs, 'failed job')} back in the queue.`;
  return { json: { run, items: seen, jobs }, words };
}
