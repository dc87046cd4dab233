import type { TestContext } from 'node:test';
import { openQueues, type Queues } from '#queue/bull-queues.ts';
import { createProducer, type Producer } from '#queue/producer.ts';
import { type Submission, type Submitted, submitSource } from '#runs/submit.ts';
import type { CaptionItem, Item, Source } from '#sources/item.ts';
import type { ChunkResult, GenerationRecord, Store } from '#store/contract.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { closeAfter, generationSpec, temporaryStore } from '../store/lance/store-fixture.ts';

/** An index and its queue, without any worker. */
export interface Queued {
  readonly store: Store;
  readonly generation: GenerationRecord;
  readonly queues: Queues;
  readonly producer: Producer;
  /** Submits a source of captions in jobs of four. */
  submit(source: Source, changes?: Partial<Submission>): Promise<Submitted>;
  /** Ids of the jobs that wait, in the order in which they would be taken. */
  waiting(): Promise<string[]>;
}

/** One Redis for the tests of a file; each test has an index of its own, and so keys of its own. */
export async function startQueuedTests(suite: { after(work: () => Promise<void>): void }) {
  const redis = await startTestRedis();
  suite.after(async () => redis[Symbol.asyncDispose]());
  return async (t: TestContext, { maxWaiting = 4096 } = {}): Promise<Queued> => {
    const store = await temporaryStore(t);
    const generation = (await store.openGeneration(generationSpec())).record;
    const queues = openQueues(redis.client, store.id);
    closeAfter(t, { [Symbol.asyncDispose]: () => queues.close() });
    const producer = createProducer(queues, maxWaiting);
    const asked = {
      store,
      generation,
      producer,
      priority: 'normal',
      retryFailed: false,
      options: {},
    } as const;
    return {
      ...{ store, generation, queues, producer },
      submit: (source, changes) => {
        const { signal } = new AbortController();
        return submitSource({ ...asked, source, chunkItems: 4, signal, ...changes });
      },
      waiting: async () =>
        (await queues.chunks.getJobs(['prioritized'], 0, -1, true)).map((job) => job.id ?? ''),
    };
  };
}

export function captionItem(id: string): CaptionItem {
  return { kind: 'caption', id, imageId: null, uri: '/list.csv', caption: `red ${id}`, meta: {} };
}

/** Captions of the numbers `from` to `to - 1`. */
export function captionItems(from: number, to: number): CaptionItem[] {
  return Array.from({ length: to - from }, (_, i) => captionItem(`c${from + i}`));
}

/** A source of these items; `before` is called before each of them. */
export function sourceOf(items: readonly Item[], before?: (index: number) => void | Promise<void>): Source {
  return {
    uri: '/list.csv',
    fraction: () => undefined,
    async *items() {
      for (const [index, item] of items.entries()) {
        await before?.(index);
        yield item;
      }
    },
  };
}

/** A result of a chunk of a run: all of its items stored. */
export function result(run: string, chunk: string, changes: Partial<ChunkResult> = {}): ChunkResult {
  return { run, chunk, stored: 4, skipped: 0, failed: 0, kinds: null, at: new Date(), ...changes };
}
