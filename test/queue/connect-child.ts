import { errorMessage } from '#errors.ts';
import { parseRedisUrl } from '#queue/address.ts';
import { closeRedis, connectRedis } from '#queue/connection.ts';

/** Says what the server at REDIS_URL answers, or why none does. */
try {
  const client = await connectRedis(parseRedisUrl(process.env.REDIS_URL ?? ''));
  console.log(await client.set('key', 'value'));
  closeRedis(client);
} catch (error) {
  console.log(errorMessage(error));
}
