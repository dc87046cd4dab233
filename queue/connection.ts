import { Cluster, Redis } from 'ioredis';
import { errorMessage, VlmoError } from '#errors.ts';
import { describeAddress, type RedisAddress } from './address.ts';
import { checkServer } from './check-server.ts';
import { type Patience, patiently } from './patience.ts';

export type RedisClient = Redis | Cluster;

export interface ConnectOptions {
  /** Told of each new kind of trouble while the connection is being made again. */
  readonly onError?: ((error: Error) => void) | undefined;
}

const CONNECT_TIMEOUT_MS = 5000;
const LONGEST_RETRY_MS = 2000;
/** How long a command may take: it is tried again by whoever gave it. */
const COMMAND_TIMEOUT_MS = 10_000;
/** Between two reconnections because the server takes no writes. */
const FAILOVER_MS = 5000;

/**
 * Connects, and proves that the server keeps what it is given. The first connection fails soon; one that breaks later
 * is made again for as long as it takes; commands wait meanwhile, ten seconds at most. Throws REDIS_UNREACHABLE or
 * REDIS_UNSUITABLE.
 */
export async function connectRedis(
  address: RedisAddress,
  { onError }: ConnectOptions = {},
): Promise<RedisClient> {
  let isUp = false;
  const retry = (times: number): number | null =>
    isUp ? Math.min(50 * 2 ** Math.min(times, 10), LONGEST_RETRY_MS) : null;
  const client = createClient(address, retry);
  /** Those that are known since it was up last. */
  const told = new Set<string>();
  let first: Error | undefined;
  client.on('error', (error: Error) => {
    first ??= error;
    if (isUp && !told.has(error.message)) onError?.(error);
    told.add(error.message);
  });
  client.on('ready', () => told.clear());
  try {
    await withinTime(client.connect());
    isUp = true;
    // A database that is not there would be number 0.
    if (client instanceof Redis && 'db' in address) await client.select(address.db);
    await checkServer(client, describeAddress(address));
    return client;
  } catch (error) {
    closeRedis(client);
    if (error instanceof VlmoError) throw error;
    const cause = /closed|startup nodes/.test(errorMessage(error)) ? (first ?? error) : error;
    const hint = 'set REDIS_URL, or let --embedded-redis start one';
    // No cause: ioredis writes the command into its errors, and that of a login holds the password.
    throw new VlmoError(
      'REDIS_UNREACHABLE',
      `Cannot reach Redis at "${describeAddress(address)}": expected an answer, received ${describe(cause)}; ${hint}`,
    );
  }
}

/**
 * As `connectRedis`, tried again for as long as patience lasts: also the first connection may meet a server that is away,
 * failing over, or asks for another password.
 */
export function reachRedis(
  address: RedisAddress,
  options: ConnectOptions,
  patience: Patience,
): Promise<RedisClient> {
  return patiently(
    () =>
      connectRedis(address, options).catch((error: unknown) => {
        if (!(error instanceof VlmoError) || error.code !== 'REDIS_UNREACHABLE') throw error;
        throw new Error(error.message);
      }),
    patience,
  );
}

/** Ends a connection, also one that is broken. One that has ended is left alone: ioredis would keep the process up for it. */
export function closeRedis(client: RedisClient): void {
  if (client.status !== 'end') client.disconnect();
}

function createClient(address: RedisAddress, retryStrategy: (times: number) => number | null): RedisClient {
  const { username, password } = address;
  const options = {
    lazyConnect: true,
    // BullMQ asks for it: a command waits for the connection instead of failing.
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    // A connection that swallows everything is made again; TCP alone would wait for a quarter of an hour.
    socketTimeout: COMMAND_TIMEOUT_MS,
    reconnectOnError: createFailover(),
    retryStrategy,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  // Node trusts the well-known authorities, and those of NODE_EXTRA_CA_CERTS.
  const tls = 'tls' in address && address.tls ? { tls: {} } : {};
  switch (address.kind) {
    case 'server':
      return new Redis({ ...options, ...tls, host: address.host, port: address.port, db: address.db });
    case 'socket':
      return new Redis({ ...options, path: address.path, db: address.db });
    case 'sentinel':
      return new Redis({
        ...options,
        ...tls,
        sentinels: address.sentinels.map((node) => ({ ...node })),
        name: address.master,
        db: address.db,
        sentinelRetryStrategy: retryStrategy,
        ...(address.tls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
      });
    case 'cluster': {
      const { lazyConnect, ...redisOptions } = options;
      return new Cluster([...address.nodes], {
        lazyConnect: true,
        clusterRetryStrategy: retryStrategy,
        redisOptions: { ...redisOptions, ...tls },
      });
    }
  }
}

/** Reconnects where the server has become a replica: the name may lead to another one by now. */
function createFailover(): (error: Error) => boolean {
  let last = -Infinity;
  return ({ message }) => {
    if (!message.startsWith('READONLY') || performance.now() - last < FAILOVER_MS) return false;
    last = performance.now();
    return true;
  };
}

async function withinTime(connecting: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`nothing within ${CONNECT_TIMEOUT_MS / 1000} seconds`)),
    CONNECT_TIMEOUT_MS,
  );
  try {
    await Promise.race([connecting, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Errors of several addresses of one host, or of several nodes, have no message of their own. */
function describe(error: unknown): string {
  if (error instanceof Error && 'lastNodeError' in error) return describe(error.lastNodeError);
  if (error instanceof AggregateError) return error.errors.map(errorMessage).join(', ');
  return errorMessage(error) || String(error);
}
