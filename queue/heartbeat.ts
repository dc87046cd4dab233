import { randomUUID } from 'node:crypto';
import type { Queues } from './bull-queues.ts';

const BEAT_MS = 5000;
/** Beats that may be missed. */
const ALIVE_MS = 3 * BEAT_MS + 1000;

/** Says in Redis that a worker is alive, until it is disposed of. */
export function startHeartbeat({ client, prefix }: Queues): AsyncDisposable {
  const key = keyOf(prefix);
  const worker = randomUUID();
  const beat = (): void => {
    client.zadd(key, Date.now(), worker).catch(() => undefined);
  };
  beat();
  const timer = setInterval(beat, BEAT_MS);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      if (client.status === 'ready') await client.zrem(key, worker).catch(() => undefined);
    },
  };
}

/** Workers that gave a sign of life lately; the others are forgotten. */
export async function countAlive({ client, prefix }: Queues): Promise<number> {
  const key = keyOf(prefix);
  await client.zremrangebyscore(key, 0, Date.now() - ALIVE_MS);
  return client.zcard(key);
}

function keyOf(prefix: string): string {
  return `${prefix}:workers-alive`;
}
