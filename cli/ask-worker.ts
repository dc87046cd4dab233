import type { Config } from '#config/options.ts';
import { createQueryClient } from '#queue/query-client.ts';
import type { SearchAnswer, SearchRequest } from '#search/request.ts';
import type { OpenIndex } from '#service/contract.ts';
import { absoluteUri } from '#uri.ts';
import { openRedis, patienceOf, QUERY_SECONDS, type RedisFlags } from './open-queue.ts';

/** A picture is named by its path: its bytes stay where they are. */
type SearchByPath = Omit<SearchRequest, 'image'> & { readonly image?: string | undefined };

/** A search by a worker of the index, which reads a picture by its path, and computes on a device and with a model of its own. */
export async function askWorker(
  index: OpenIndex,
  request: SearchByPath,
  flags: RedisFlags & Config<'redisPatience'>,
): Promise<SearchAnswer> {
  const patience = { seconds: patienceOf(flags, QUERY_SECONDS) };
  await using redis = await openRedis(index, flags, patience);
  await using client = await createQueryClient(redis.client, index.id, patience);
  const image = request.image !== undefined && { image: absoluteUri(request.image) };
  return await client.query({ kind: 'search', ...request, ...image });
}
