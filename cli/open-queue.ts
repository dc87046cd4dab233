import type { Command } from 'commander';
import { parseRedisUrl } from '#queue/address.ts';
import { closeRedis, connectRedis, type RedisClient } from '#queue/connection.ts';
import { openEmbeddedRedis } from '#queue/embedded-redis.ts';
import type { Store } from '#store/contract.ts';
import { note, printable, shellWord } from './output.ts';
import { Owned } from './owned.ts';

export interface RedisFlags {
  readonly embeddedRedis?: true;
}

const DEFAULT_URL = 'redis://127.0.0.1:6379';

/** Adds the flag that says which Redis, beside REDIS_URL. */
export function addRedisOption(command: Command): Command {
  return command.option(
    '--embedded-redis',
    `a Redis of the index's own, on this machine only, in place of the one that REDIS_URL names (default: ${DEFAULT_URL})`,
  );
}

/** The flags that another command on the same index needs: for hints that can be pasted. */
export function hintFlags({ index, embeddedRedis }: RedisFlags & { readonly index: string }): string {
  return `--index ${shellWord(index)}${embeddedRedis ? ' --embedded-redis' : ''}`;
}

export interface OpenRedis extends AsyncDisposable {
  readonly client: RedisClient;
}

/** Connects to the Redis of an index. Throws REDIS_UNREACHABLE, REDIS_UNSUITABLE or REDIS_MISSING. */
export async function openRedis(
  store: Store,
  { embeddedRedis }: RedisFlags,
  onError: (error: Error) => void = (error) => note(`Redis: ${printable(error.message)}; waiting for it.`),
): Promise<OpenRedis> {
  await using stack = new Owned();
  const address = embeddedRedis
    ? stack.use(await openEmbeddedRedis(store.uri)).address
    : parseRedisUrl(process.env.REDIS_URL || DEFAULT_URL);
  const client = await connectRedis(address, { onError });
  stack.defer(() => closeRedis(client));
  const owned = stack.move();
  return { client, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
