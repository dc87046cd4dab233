import { type ChunkJob, chunkJobId } from '#queue/job.ts';
import type { Item } from '#sources/item.ts';
import type { ChunkRecord } from '#store/contract.ts';

export interface Chunk {
  readonly record: ChunkRecord;
  readonly job: ChunkJob;
}

/** Characters of JSON from which on a job gets no more items: Redis and memory hold several of them at once. */
const MAX_CHARACTERS = 8 * 2 ** 20;

/** Makes jobs of so many items at most; of the same items, the same jobs. */
export async function* toChunks(
  items: AsyncIterable<Item>,
  common: Omit<ChunkJob, 'items' | 'run'> & { readonly run: string },
  { chunkItems, priority }: { readonly chunkItems: number; readonly priority: string },
): AsyncGenerator<Chunk> {
  let some: Item[] = [];
  let characters = 0;
  function cut(): Chunk {
    const job: ChunkJob = { ...common, items: some };
    const data = JSON.stringify(job);
    const record = { run: common.run, id: chunkJobId(data), items: some.length, data, priority };
    some = [];
    characters = 0;
    return { record, job };
  }
  for await (const item of items) {
    some.push(item);
    characters += sizeOf(item);
    if (some.length >= chunkItems || characters >= MAX_CHARACTERS) yield cut();
  }
  if (some.length > 0) yield cut();
}

/** About the characters of an item's JSON. */
function sizeOf(item: Item): number {
  const names = item.id.length + item.uri.length;
  if (item.kind === 'broken') return names + item.error.message.length;
  const text = item.kind === 'caption' ? item.caption.length : 0;
  return names + text + JSON.stringify(item.meta).length;
}
