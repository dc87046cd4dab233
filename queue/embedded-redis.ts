import { spawn } from 'node:child_process';
import { accessSync, constants, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { errorMessage, VlmoError } from '#errors.ts';
import type { RedisAddress } from './address.ts';
import { withLock } from './lock-file.ts';

export interface EmbeddedRedis extends AsyncDisposable {
  readonly address: RedisAddress;
}

const PROGRAMS = ['redis-server', 'valkey-server'];
/** Longest path of a Unix socket, less its closing zero. */
const MOST_SOCKET_BYTES = 107;
/** A large append-only file takes its time to load. */
const START_MS = 60_000;
const POLL_MS = 25;
/** The name of the connection that every process keeps open which uses the server. */
const HOLDER = 'vlmo-holder';

/**
 * A Redis of the index's own: on a private socket, its data in `redis/` of the index folder, written to an append-only
 * file. All processes of one machine share it; the last one to leave ends it. What was killed leaves it running, for the
 * next one to find. Throws REDIS_MISSING or REDIS_UNREACHABLE.
 */
export async function openEmbeddedRedis(indexFolder: string): Promise<EmbeddedRedis> {
  const folder = resolve(indexFolder, 'redis');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = join(folder, 'lock');
  const path = await socketPath(folder);
  const holder = await withLock(lock, async () => (await hold(path)) ?? start(folder, path));
  return {
    address: { kind: 'socket', path, db: 0 },
    [Symbol.asyncDispose]: () => withLock(lock, () => leave(holder)),
  };
}

/** In the folder, unless its path is too long for a socket: then in one that only this user may enter. */
async function socketPath(folder: string): Promise<string> {
  const inside = join(folder, 'redis.sock');
  if (Buffer.byteLength(inside) <= MOST_SOCKET_BYTES) return inside;
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
    client.disconnect();
    return undefined;
  }
}

async function start(folder: string, path: string): Promise<Redis> {
  const program = findProgram();
  const log = join(folder, 'redis.log');
  const settings = {
    port: '0',
    unixsocket: path,
    unixsocketperm: '700',
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const output = openLog(log);
  const server = spawn(program, args, { detached: true, stdio: ['ignore', output, output] });
  server.unref();
  const ended = new Promise<string>((resolve) => {
    server.once('error', (error) => resolve(error.message));
    server.once('exit', (code, signal) => resolve(`its end (${signal ?? `exit code ${code}`})`));
  });
  let how: string | undefined;
  void ended.then((text) => {
    how = text;
  });
  for (const until = Date.now() + START_MS; Date.now() < until; ) {
    const holder = await hold(path);
    if (holder) return holder;
    if (how !== undefined) break;
    await setTimeout(POLL_MS);
  }
  server.kill();
  throw unreachable(folder, `${how ?? `nothing within ${START_MS / 1000} seconds`}; ${await lastLine(log)}`);
}

function findProgram(): string {
  for (const name of PROGRAMS) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this one.
      }
    }
  }
  throw new VlmoError(
    'REDIS_MISSING',
    'Cannot start Redis: expected redis-server or valkey-server in PATH, received neither; install one ("apt-get install redis-server", "brew install redis"), or set REDIS_URL and leave --embedded-redis out',
  );
}

function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    throw unreachable(path, errorMessage(error));
  }
}

async function lastLine(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n');
  return `the end of "${log}" says: ${lines.at(-1) ?? ''}`;
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
    holder.disconnect();
  }
}

function unreachable(subject: string, received: string): VlmoError {
  return new VlmoError(
    'REDIS_UNREACHABLE',
    `Cannot start Redis in "${subject}": expected a server that answers, received ${received}`,
  );
}
