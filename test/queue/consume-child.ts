import { once } from 'node:events';
import { parseRedisUrl } from '#queue/address.ts';
import { closeRedis, connectRedis } from '#queue/connection.ts';
import { createConsumer } from '#queue/consumer.ts';

/** Takes chunk jobs of an index, says which, and never finishes one. SIGTERM closes it as a worker closes. */
const [url = '', indexId = '', drainMs = '0'] = process.argv.slice(2);
const client = await connectRedis(parseRedisUrl(url));
const consumer = createConsumer({
  ...{ client, indexId, concurrency: 1, lockDurationMs: 500 },
  takeChunk(_, id) {
    console.log(id);
    return new Promise(() => undefined);
  },
  answerQuery: async () => ({}),
  retrieve: async () => ({}),
  onNote: () => undefined,
  onTrouble: () => undefined,
});
await once(process, 'SIGTERM');
await consumer.close(Number(drainMs));
console.log('closed');
closeRedis(client);
