import { spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { errorMessage, VlmoError } from '#errors.ts';

const PROGRAMS = ['redis-server', 'valkey-server'];
/** A large append-only file takes its time to load. */
const START_MS = 60_000;
const POLL_MS = 25;

/**
 * Starts a Redis on a socket, its data in a folder, and gives what `connect` made of it. It outlives this process.
 * Throws REDIS_MISSING or REDIS_UNREACHABLE.
 */
export async function startRedis<T>(
  folder: string,
  path: string,
  connect: () => Promise<T | undefined>,
): Promise<T> {
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
  closeSync(output);
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
    const connected = await connect();
    if (connected) return connected;
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

function unreachable(subject: string, received: string): VlmoError {
  return new VlmoError(
    'REDIS_UNREACHABLE',
    `Cannot start Redis in "${subject}": expected a server that answers, received ${received}`,
  );
}
