import { once } from 'node:events';
import { Command } from 'commander';
import { resolveDevice } from '#devices/device.ts';
import { openStore } from '#store/lance/open-store.ts';
import { createLog } from '#workers/jobs/log.ts';
import { serveJobs } from '#workers/jobs/serve-jobs.ts';
import { addConfigOptions, readConfig } from './config-options.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { addRedisOption, openRedis, type RedisFlags } from './open-queue.ts';
import { stopOnSignals } from './signals.ts';

interface WorkerFlags extends RedisFlags {
  readonly index: string;
}

const OPTIONS = [
  'concurrency',
  'drainTimeout',
  'lockDuration',
  'maxWaiting',
  'logLevel',
  'device',
  'batchSize',
  'decodeThreads',
  'inferenceWorkers',
  'maxPixels',
  'maxImageBytes',
  'decodeTimeout',
] as const;

/** `vlmo worker`: takes the jobs of one index until it is told to stop. */
export function workerCommand(): Command {
  const command = new Command('worker')
    .description(
      'Take the jobs of an index until told to stop (Ctrl-C, SIGTERM); any number of workers may, on any number of machines',
    )
    .requiredOption('--index <folder>', 'the index')
    .option('--json', 'the log is JSON lines on stderr; accepted so that every command takes it');
  return addConfigOptions(addRedisOption(command), OPTIONS).action(runWorker);
}

async function runWorker(flags: WorkerFlags): Promise<void> {
  const config = await readConfig(OPTIONS, flags);
  const log = createLog(config.logLevel);
  const device = await resolveDevice(config.device);
  await using store = await openStore(flags.index, { create: false });
  await using redis = await openRedis(store, flags, (error) =>
    log.warn(`Redis: ${error.message}; waiting for it`),
  );
  using signals = stopOnSignals((words) => log.info(words));
  const setup = { index: store.uri, ...config, provider: device.provider };
  await using _server = await serveJobs({ store, client: redis.client, setup, config, log });
  log.info({ device: device.provider, reason: device.reason }, 'device');
  log.info({ index: store.uri, concurrency: config.concurrency }, 'taking jobs');
  process.exitCode = EXIT_DONE;
  if (!signals.signal.aborted) await once(signals.signal, 'abort');
  log.info({ seconds: config.drainTimeout }, 'stopping: what was taken is finished or given back');
}
