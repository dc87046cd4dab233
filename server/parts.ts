import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Config } from '#config/options.ts';
import type { RedisClient } from '#queue/connection.ts';
import type { OpenIndex } from '#service/contract.ts';
import type { KeyRing } from './guards/keys.ts';
import type { Uploads } from './jobs/uploads.ts';
import type { ServerMetrics } from './metrics/metrics.ts';

export type ServeConfig = Config<
  | 'host'
  | 'allowAnonymous'
  | 'corsOrigins'
  | 'basePath'
  | 'forwarders'
  | 'collection'
  | 'maxBodyBytes'
  | 'maxImageBytes'
  | 'maxPixels'
  | 'thumbnailBytes'
  | 'fetch'
  | 'fetchAllows'
  | 'fetchOnlyAllowed'
  | 'sourceRoots'
  | 'uploadQuota'
  | 'clipCompat'
  | 'rateLimit'
>;

/** What every route works with. */
export interface ServerParts {
  readonly index: OpenIndex;
  readonly config: ServeConfig;
  readonly keys: KeyRing;
  readonly metrics: ServerMetrics;
  readonly readiness: Readiness;
  readonly uploads: Uploads;
  /** Where jobs are put, for workers; undefined where they are indexed here. */
  readonly queue: JobQueue | undefined;
  /** Gets the picture at a URL; undefined where that is not allowed. */
  readonly download: ((url: string, signal: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>) | undefined;
}

export interface JobQueue {
  readonly redis: RedisClient;
  /** The clock of Redis, by which queued runs are timed. */
  readonly clock: () => Date;
}

/** How far the server is from answering. */
export interface Readiness {
  /** Whether model and vectors are loaded, or why not. */
  warm: 'loading' | 'ready' | Error;
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;
