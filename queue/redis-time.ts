import { Cluster } from 'ioredis';
import type { RedisClient } from './connection.ts';

/** The clock that everybody shares who uses this Redis, in milliseconds: those of two machines are never compared. */
export async function redisTime(client: RedisClient): Promise<number> {
  const node = client instanceof Cluster ? (client.nodes('master')[0] ?? client) : client;
  const [seconds, microseconds] = (await node.call('TIME')) as [number | string, number | string];
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

/** That clock, read once and carried on by durations of this machine. */
export async function redisClock(client: RedisClient): Promise<() => Date> {
  const at = await redisTime(client);
  const begun = performance.now();
  return () => new Date(at + performance.now() - begun);
}
