import type { Config } from '#config/options.ts';
import { DEFAULT_REDIS_URL, parseRedisUrl } from '#queue/address.ts';
import { bullOptions } from '#queue/bull-queues.ts';
import { closeRedis, connectRedis, type RedisClient, reachRedis } from '#queue/connection.ts';
import { openEmbeddedRedis } from '#queue/embedded-redis.ts';
import { aliveWorkers } from '#queue/heartbeat.ts';
import { type Patience, patiently } from '#queue/patience.ts';
import { createTrouble } from '#queue/trouble.ts';
import { requireSameIndex } from '#runs/same-index.ts';
import type { OpenIndex } from '#service/contract.ts';
import { note, printable, shellWord } from './output.ts';

export type RedisFlags = Config<'embeddedRedis'>;

/** The flags that another command on the same index needs: for hints that can be pasted. */
export function hintFlags({ index, embeddedRedis }: RedisFlags & { readonly index: string }): string {
  return `--index ${shellWord(index)}${embeddedRedis ? ' --embedded-redis' : ''}`;
}

/** Seconds for which what Redis refuses is tried again. */
export function patienceOf({ redisPatience }: Config<'redisPatience'>, auto: number): number {
  if (redisPatience === 'auto') return auto;
  return redisPatience === 'forever' ? Infinity : redisPatience;
}

/** Where the option says "auto". */
export const SUBMIT_SECONDS = 300;
export const QUERY_SECONDS = 30;
export const ACTION_SECONDS = 30;

export interface OpenRedis extends AsyncDisposable {
  readonly client: RedisClient;
}

/** Says on stderr what is wrong with Redis, once a minute for as long as it lasts. */
export function sayTrouble(): (error: Error) => void {
  return createTrouble((words) => note(printable(words))).met;
}

/**
 * Connects to the Redis of an index, whose queue has to be of this very index; for as long as patience lasts, or once. Throws REDIS_UNREACHABLE, REDIS_UNSUITABLE,
 * REDIS_MISSING or INDEX_COPIED.
 */
export async function openRedis(
  { folder, id }: Pick<OpenIndex, 'folder' | 'id'>,
  { embeddedRedis }: RedisFlags,
  patience?: Patience,
): Promise<OpenRedis> {
  const onError = patience?.onTrouble ?? sayTrouble();
  const embedded = embeddedRedis ? await openEmbeddedRedis(folder) : undefined;
  const address = embedded?.address ?? parseRedisUrl(process.env.REDIS_URL || DEFAULT_REDIS_URL);
  const waiting = patience && { onTrouble: onError, ...patience };
  let client: RedisClient | undefined;
  const close = async (): Promise<void> => {
    try {
      if (client) closeRedis(client);
    } finally {
      await embedded?.[Symbol.asyncDispose]();
    }
  };
  try {
    client = await (waiting ? reachRedis(address, { onError }, waiting) : connectRedis(address, { onError }));
    const reached = client;
    const { prefix } = bullOptions(reached, id);
    const alive = () => aliveWorkers(reached, prefix);
    await requireSameIndex(folder, () => (waiting ? patiently(alive, waiting) : alive()));
    return { client, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
