import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import type { RedisAddress } from '#queue/address.ts';
import { type EmbeddedRedis, openEmbeddedRedis } from '#queue/embedded-redis.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { cleanup } from './queue-fixture.ts';

/** The folder of an index; a Redis that a test left running in it is ended. */
export async function indexFolder(t: TestContext, name = 'index'): Promise<string> {
  const stack = cleanup(t);
  const index = join(await temporaryFolder(t), name);
  stack.defer(() => end(join(index, 'redis', 'redis.sock')));
  return index;
}

export async function open(t: TestContext, index: string): Promise<EmbeddedRedis> {
  return cleanup(t).use(await openEmbeddedRedis(index));
}

export function pathOf({ address }: { address: RedisAddress }): string {
  assert.equal(address.kind, 'socket');
  return address.kind === 'socket' ? address.path : '';
}

/** Does something with a server, on a connection of its own. */
export async function ask<T>(path: string, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ path, lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await question(client);
  } finally {
    client.disconnect();
  }
}

/** What INFO says of the server, such as its `run_id`, `process_id` and `executable`. */
export async function said(path: string, field: string): Promise<string> {
  const info = await ask(path, (client) => client.info('server'));
  return new RegExp(`^${field}:(\\S+)`, 'm').exec(info)?.[1] ?? '';
}

export async function isRunning(path: string): Promise<boolean> {
  return ask(path, (client) => client.ping()).then(
    () => true,
    () => false,
  );
}

async function end(path: string): Promise<void> {
  await ask(path, (client) => client.shutdown('NOSAVE')).catch(() => undefined);
}
