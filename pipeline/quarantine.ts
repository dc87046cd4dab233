import type { Item } from '#sources/item.ts';
import { NO_KINDS } from '#store/kind-counts.ts';
import type { Chunk, ChunkTally } from './index-chunk.ts';
import type { Indexer } from './indexer.ts';
import type { Planner } from './lookup.ts';

/** Lists an item that has ended the process as failed, without another look at it. */
export async function quarantine(
  { writer }: Indexer,
  plan: Planner,
  { run, runNumber, source, item }: Omit<Chunk, 'items' | 'retryFailed'> & { readonly item: Item },
): Promise<ChunkTally> {
  const { images, captions, broken } = await plan([item], source);
  const [planned] = [...images, ...captions, ...broken];
  if (!planned) throw new Error(`No plan for "${item.id}": this is a bug`);
  const error = {
    code: 'ITEM_CRASHES',
    message: `Cannot index "${item.id}": expected a vector or an error, received the end of the process each time it was tried alone`,
  } as const;
  const runContext = { run, runNumber, retryFailed: true, add: () => undefined };
  await writer.addFailure(runContext, planned, error);
  await writer.flush();
  const failed = { stored: 0, skipped: 0, failed: 1 };
  const kinds = item.kind === 'image' ? { ...NO_KINDS, images: failed } : { ...NO_KINDS, captions: failed };
  return { ...failed, kinds: item.kind === 'broken' ? NO_KINDS : kinds, failures: [] };
}
