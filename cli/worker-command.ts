import { once } from 'node:events';
import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import { createTrouble } from '#queue/trouble.ts';
import type { IndexSettings } from '#service/settings.ts';
import { openStore } from '#store/lance/open-store.ts';
import { localFolderOf } from '#store/local-folder.ts';
import { createLog } from '#workers/jobs/log.ts';
import { serveJobs } from '#workers/jobs/serve-jobs.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { fetchSettings } from './fetch-settings.ts';
import { openRedis, patienceOf } from './open-queue.ts';
import { stopOnSignals } from './signals.ts';

/** How long a worker may take to end beyond its time to drain, such as where Redis does not answer, also while it starts. */
const LAST_SECONDS = 3;

/** `vlmo worker`: takes the jobs of one index until it is told to stop. */
export async function runWorker(config: CommandConfig<'worker'>): Promise<void> {
  const log = createLog(config.logLevel);
  const device = await resolveDevice(config.device);
  await using store = await openStore(config.index, {
    ...{ create: false, write: true },
    note: (line) => log.info(line),
  });
  using signals = stopOnSignals((words) => log.info(words));
  // Nothing is lost by it: a job that could not be given back is given out again when its lock has run out.
  signals.signal.addEventListener('abort', () => {
    setTimeout(() => process.exit(), (config.drainTimeout + LAST_SECONDS) * 1000).unref();
  });
  await using redis = await openRedis({ folder: localFolderOf(store), id: store.id }, config, {
    ...{ seconds: patienceOf(config, Infinity), signal: signals.signal },
    onTrouble: createTrouble((words) => log.warn(words)).met,
  }).catch((error: unknown) => {
    // Told to stop before it had anything in hand.
    if (signals.signal.aborted) process.exit(EXIT_DONE);
    throw error;
  });
  const setup = {
    ...engineSettings(config),
    index: store.uri,
    device: device.cards.length > 0 ? config.device : device.provider,
  };
  await using server = await serveJobs({ store, client: redis.client, setup, config, log });
  log.info({ device: device.provider, reason: device.reason }, 'device');
  log.info({ index: store.uri, concurrency: config.concurrency }, 'taking jobs');
  process.exitCode = EXIT_DONE;
  const end = AbortSignal.any([signals.signal, server.outdated]);
  if (!end.aborted) await once(end, 'abort');
  log.info({ seconds: config.drainTimeout }, 'stopping: what was taken is finished or given back');
  server.outdated.throwIfAborted();
}

/** What of a worker's options its engine obeys. */
function engineSettings(config: CommandConfig<'worker'>): IndexSettings {
  const { precision, batchSize, decodeThreads, inferenceWorkers, maxPixels, maxImageBytes } = config;
  const { decodeTimeout, decodeMemory } = config;
  const limits = { maxPixels, maxImageBytes, decodeTimeout, decodeMemory };
  const { reranker, rerankerMemory, rerankerCache } = config;
  const reading = { reranker, rerankerMemory, rerankerCache };
  const computing = { precision, batchSize, decodeThreads, inferenceWorkers };
  return { ...computing, ...reading, ...limits, ...fetchSettings(config) };
}
