import { once } from 'node:events';
import { openEmbeddedRedis } from '#queue/embedded-redis.ts';

/** Opens the Redis of an index, says so, and holds it; told to stop, it leaves. */
await using _redis = await openEmbeddedRedis(process.argv[2] ?? '');
const stopped = once(process, 'SIGTERM');
console.log('open');
await stopped;
