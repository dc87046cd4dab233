import { mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { withLock } from '#lock-file.ts';
import type { RedisAddress } from './address.ts';
import { closeRedis } from './connection.ts';
import { startRedis } from './start-redis.ts';

export interface EmbeddedRedis extends AsyncDisposable {
  readonly address: RedisAddress;
}

/** Longest path of a Unix socket, less its closing zero. */
const MAX_SOCKET_BYTES = 107;
/** Until a server that ended is started again, where that fails. */
const TRY_AGAIN_MS = 1000;
/** The name of the connection that every process keeps open which uses the server. */
const HOLDER = 'vlmo-holder';

/**
 * A Redis of the index's own: on a private socket, its data in `redis/` of the index folder, written to an append-only
 * file. All processes of one machine share it; the last one to leave ends it. What was killed leaves it running, for the
 * next one to find; a server that was killed is started again. Throws REDIS_MISSING or REDIS_UNREACHABLE.
 */
export async function openEmbeddedRedis(indexFolder: string): Promise<EmbeddedRedis> {
  const folder = resolve(indexFolder, 'redis');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = join(folder, 'lock');
  const path = await socketPath(folder);
  const open = (): Promise<Redis> =>
    withLock(lock, async () => (await hold(path)) ?? startRedis(folder, path, () => hold(path)));
  const kept = keep(await open(), open);
  return {
    address: { kind: 'socket', path, db: 0 },
    async [Symbol.asyncDispose]() {
      const holder = await kept.letGo();
      await withLock(lock, () => leave(holder));
    },
  };
}

/** Opens it again whenever the server has ended without being told to, until it is let go. */
function keep(first: Redis, open: () => Promise<Redis>): { letGo(): Promise<Redis> } {
  const stop = new AbortController();
  let holder = Promise.resolve(first);
  async function again(): Promise<Redis> {
    while (!stop.signal.aborted) {
      try {
        return watch(await open());
      } catch {
        await setTimeout(TRY_AGAIN_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    }
    return first;
  }
  function watch(client: Redis): Redis {
    client.once('end', () => {
      if (!stop.signal.aborted) holder = again();
    });
    return client;
  }
  watch(first);
  return {
    letGo() {
      stop.abort();
      return holder;
    },
  };
}

/** In the folder, unless its path is too long for a socket: then in one that only this user may enter. */
async function socketPath(folder: string): Promise<string> {
  const inside = join(folder, 'redis.sock');
  if (Buffer.byteLength(inside) <= MAX_SOCKET_BYTES) return inside;
  const note = join(folder, 'socket-folder');
  const noted = await readFile(note, 'utf8').catch(() => '');
  if (noted !== '' && (await isPrivate(noted))) return join(noted, 'redis.sock');
  const made = await mkdtemp(join(tmpdir(), 'vlmo-redis-'));
  await writeFile(note, made);
  return join(made, 'redis.sock');
}

/** Whether nobody but this user can have put a socket there. */
async function isPrivate(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}

/** A connection that says by being there that the server is in use; undefined where none answers. */
async function hold(path: string): Promise<Redis | undefined> {
  const client = new Redis({
    ...{ path, lazyConnect: true, connectionName: HOLDER, maxRetriesPerRequest: null },
    retryStrategy: () => null,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.ping();
    return client;
  } catch {
    closeRedis(client);
    return undefined;
  }
}

/** Ends the server where nobody else holds it. It has written everything when it is gone. */
async function leave(holder: Redis): Promise<void> {
  try {
    if (holder.status !== 'ready') return;
    const clients = String(await holder.client('LIST'));
    const others = clients.split('\n').filter((line) => line.includes(` name=${HOLDER} `)).length - 1;
    if (others > 0) return;
    const gone = new Promise((resolve) => holder.once('end', resolve));
    await holder.shutdown().catch(() => undefined);
    await gone;
  } finally {
    closeRedis(holder);
  }
}
