import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errorMessage } from '#errors.ts';
import { DEFAULT_REDIS_URL, describeAddress, parseRedisUrl } from '#queue/address.ts';
import { closeRedis, connectRedis } from '#queue/connection.ts';
import type { Finding } from './finding.ts';

/** The Redis that REDIS_URL names, which is needed where it names one, and a server for --embedded-redis. */
export async function checkRedis(url: string | undefined): Promise<Finding[]> {
  return [await checkServer(url), await checkProgram()];
}

async function checkServer(url: string | undefined): Promise<Finding> {
  const name = 'redis';
  try {
    const address = parseRedisUrl(url || DEFAULT_REDIS_URL);
    const client = await connectRedis(address);
    closeRedis(client);
    return { name, state: 'ok', detail: `${describeAddress(address)} answers, and keeps what it is given` };
  } catch (error) {
    const needed = url !== undefined && url !== '';
    const hint = needed ? '' : '; only the queue (submit, worker) needs one';
    return { name, state: needed ? 'broken' : 'note', detail: `${errorMessage(error)}${hint}` };
  }
}

async function checkProgram(): Promise<Finding> {
  const name = '--embedded-redis';
  for (const program of ['redis-server', 'valkey-server']) {
    const ran = await promisify(execFile)(program, ['--version']).catch(() => undefined);
    if (ran) return { name, state: 'ok', detail: ran.stdout.trim() };
  }
  return {
    name,
    state: 'note',
    detail:
      'neither redis-server nor valkey-server is on the PATH; install one for --embedded-redis (Debian: apt-get install redis-server)',
  };
}
