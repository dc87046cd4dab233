import type { AddressInfo } from 'node:net';
import type { FastifyBaseLogger } from 'fastify';
import { VlmoError } from '#errors.ts';
import type { OpenIndex } from '#service/contract.ts';
import { createApp } from './app.ts';
import type { KeyRing } from './guards/keys.ts';
import { isLoopback } from './guards/origin.ts';
import { sweepUploads } from './jobs/sweep-uploads.ts';
import { createUploads } from './jobs/uploads.ts';
import { createMetrics } from './metrics/metrics.ts';
import type { JobQueue, Readiness, ServeConfig } from './parts.ts';
import { createDownloader } from './pictures/downloader.ts';

export interface ServeOptions {
  /** Stays the caller's. */
  readonly index: OpenIndex;
  readonly config: ServeConfig & { readonly port: number };
  readonly keys: KeyRing;
  readonly log: FastifyBaseLogger;
  /** Puts jobs into the queue of the index; stays the caller's. */
  readonly queue?: JobQueue | undefined;
}

export interface Server extends AsyncDisposable {
  /** `http://127.0.0.1:7373`, with the base path. */
  readonly url: string;
  /** Takes nothing new, and waits for what is being answered. */
  close(): Promise<void>;
}

/**
 * Listens, and loads model and vectors meanwhile. Throws CONFIG_INVALID where it would listen beyond this machine without
 * keys, or cannot listen there.
 */
export async function startServer({ index, config, keys, log, queue }: ServeOptions): Promise<Server> {
  requireKeys(config, keys);
  const readiness: Readiness = { warm: 'loading' };
  const [metrics, uploads] = [createMetrics(), createUploads(index, config.uploadQuota)];
  const downloader = createDownloader(config);
  const parts = {
    index,
    config,
    keys,
    metrics,
    readiness,
    uploads,
    queue,
    download: downloader?.download,
  };
  const app = await createApp(parts, log);
  await app.listen({ host: config.host, port: config.port }).catch((error: NodeJS.ErrnoException) => {
    const received = error.code ?? error.message;
    throw new VlmoError(
      'CONFIG_INVALID',
      `Cannot listen on ${config.host}, port ${config.port}: expected a free port of this machine, received ${received}`,
      { cause: error },
    );
  });
  void sweepUploads(index, uploads).catch((error: unknown) => log.warn({ err: error }, 'uploads not swept'));
  void index.warm(config.collection).then(
    () => {
      readiness.warm = 'ready';
    },
    (error: unknown) => {
      readiness.warm = error instanceof Error ? error : new Error(String(error));
      log.error({ err: error }, 'the model cannot be loaded');
    },
  );
  const { port } = app.server.address() as AddressInfo;
  const name = config.host.includes(':') ? `[${config.host}]` : config.host;
  const close = async (): Promise<void> => {
    await app.close();
    await downloader?.[Symbol.asyncDispose]();
  };
  return {
    url: `http://${name}:${port}${config.basePath.replace(/\/+$/, '')}`,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function requireKeys({ host, allowAnonymous }: ServeConfig, keys: KeyRing): void {
  if (keys.size > 0 || allowAnonymous || isLoopback(host)) return;
  throw new VlmoError(
    'CONFIG_INVALID',
    `Cannot listen on ${host}: expected keys (VLMO_API_KEYS or --keys-file) for an address that others reach, received none; --allow-anonymous does without`,
  );
}
