import type { Queues } from './bull-queues.ts';
import type { RedisClient } from './connection.ts';

const BEAT_MS = 2000;
/** How long a worker that gives no sign counts as alive. */
const ALIVE_MS = 16_000;

/** What a worker shows at each beat: its id, and what it says of itself. */
export interface Beat {
  readonly worker: string;
  readonly says: string;
}

/** Both by the clock of Redis: those of two machines are never compared. */
const NOW = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)`;
const BEAT = `${NOW}
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])) do
  redis.call('ZREM', KEYS[1], old) redis.call('HDEL', KEYS[2], old)
end
redis.call('ZADD', KEYS[1], now, ARGV[1]) redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])`;
const ALIVE = `${NOW}
local found = {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now - ARGV[1], '+inf')) do
  table.insert(found, worker) table.insert(found, redis.call('HGET', KEYS[2], worker) or '')
end
return found`;

/** Says in Redis that a worker is alive, until it is disposed of. A beat that cannot be told is left out. */
export function startHeartbeat({ client, prefix }: Queues, next: () => Promise<Beat>): AsyncDisposable {
  const keys = keysOf(prefix);
  let worker: string | undefined;
  async function beat(): Promise<void> {
    const { worker: id, says } = await next();
    worker = id;
    await client.eval(BEAT, keys.length, ...keys, id, says, ALIVE_MS);
  }
  let beating = beat().catch(() => undefined);
  const timer = setInterval(() => {
    beating = beating.then(beat).catch(() => undefined);
  }, BEAT_MS);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await beating;
      if (worker === undefined || client.status !== 'ready') return;
      for (const command of [client.zrem(keys[0], worker), client.hdel(keys[1], worker)])
        await command.catch(() => undefined);
    },
  };
}

/** The workers that gave a sign of life lately. */
export async function aliveWorkers(client: RedisClient, prefix: string): Promise<Beat[]> {
  const keys = keysOf(prefix);
  const found = (await client.eval(ALIVE, keys.length, ...keys, ALIVE_MS)) as string[];
  return found.flatMap((worker, i) => (i % 2 === 0 ? [{ worker, says: found[i + 1] ?? '' }] : []));
}

function keysOf(prefix: string): [alive: string, says: string] {
  return [`${prefix}:workers-alive`, `${prefix}:workers-say`];
}
