import { once } from 'node:events';
import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import { redisClock } from '#queue/redis-time.ts';
import { readKeys } from '#server/guards/keys.ts';
import { createServerLog } from '#server/log.ts';
import { fetchesFromAnyone } from '#server/pictures/downloader.ts';
import { startServer } from '#server/serve.ts';
import { openIndex } from '#service/open-index.ts';
import type { IndexSettings } from '#service/settings.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { fetchSettings } from './fetch-settings.ts';
import { openRedis, patienceOf, SUBMIT_SECONDS } from './open-queue.ts';
import { print, printJson } from './output.ts';
import { stopOnSignals } from './signals.ts';

/** How long a server may take to end beyond its time to drain. */
const LAST_SECONDS = 3;

/** `vlmo serve`: answers over HTTP until it is told to stop. */
export async function runServe(config: CommandConfig<'serve'>): Promise<void> {
  const log = createServerLog(config);
  const keys = await readKeys(process.env.VLMO_API_KEYS, config.keysFile);
  const device = await resolveDevice(config.device);
  const settings = engineSettings(config);
  await using index = await openIndex(config.index, {
    ...settings,
    write: true,
    note: (line) => log.info(line),
  });
  using signals = stopOnSignals((words) => log.info(words));
  signals.signal.addEventListener('abort', () => {
    setTimeout(() => process.exit(), (config.drainTimeout + LAST_SECONDS) * 1000).unref();
  });
  const patience = { seconds: patienceOf(config, SUBMIT_SECONDS), signal: signals.signal };
  await using redis = config.queued ? await openRedis(index, config, patience) : undefined;
  const queue = redis && { redis: redis.client, clock: await redisClock(redis.client) };
  await using server = await startServer({ index, config, keys, log, queue });
  log.info({ device: device.provider, reason: device.reason, keys: keys.size }, 'listening');
  if (config.json) printJson({ url: server.url });
  else print(server.url);
  process.exitCode = EXIT_DONE;
  if (!signals.signal.aborted) await once(signals.signal, 'abort');
  log.info({ seconds: config.drainTimeout }, 'stopping: what was asked is answered');
}

function engineSettings(config: CommandConfig<'serve'>): IndexSettings {
  const { device, precision, model, batchSize, decodeThreads, inferenceWorkers } = config;
  const { reranker, rerankerMemory, rerankerCache } = config;
  const { maxPixels, maxImageBytes, decodeTimeout, decodeMemory } = config;
  const limits = { maxPixels, maxImageBytes, decodeTimeout, decodeMemory };
  const idleUnloadMinutes = config.idleUnload > 0 ? config.idleUnload : undefined;
  return {
    idleUnloadMinutes,
    device,
    precision,
    model,
    reranker,
    rerankerMemory,
    rerankerCache,
    batchSize,
    decodeThreads,
    inferenceWorkers,
    ...limits,
    ...fetchSettings(config),
    // Jobs ask for no more than requests may, and nobody reads by the keys of whoever runs the server.
    s3: false,
    fetchOnlyAllowed: config.fetchOnlyAllowed || !fetchesFromAnyone(config),
  };
}
