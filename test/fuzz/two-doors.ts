import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Engine } from '#engine/engine.ts';
import { serveCalls } from '#engine/serve-calls.ts';
import { VlmoError } from '#errors.ts';
import { openModel } from '#model/open-model.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import { openQueues } from '#queue/bull-queues.ts';
import { createConsumer } from '#queue/consumer.ts';
import { createProducer } from '#queue/producer.ts';
import { completeRun } from '#runs/complete.ts';
import { indexSource } from '#runs/index-source.ts';
import { submitSource } from '#runs/submit.ts';
import type { Source } from '#sources/item.ts';
import type { GenerationTables, Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { createChunkHandler } from '#workers/jobs/take-chunk.ts';
import { createPools } from '#workers/threads/create-pools.ts';
import { engineSetup, keptLog, openModelGeneration } from '../engine/engine-fixture.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';

/** Both ways into an index of its own: real store, real Redis, real engine, all in this process. */
export interface TwoDoors extends AsyncDisposable {
  /** Indexes a source directly and through the queue, into a collection each. */
  index(source: () => Source): Promise<void>;
  readonly store: Store;
  readonly direct: GenerationTables;
  readonly queued: GenerationTables;
}

/** Longest that a queued run may take; one that does not end is a fault. */
const PATIENCE_MS = 120_000;
const NEVER = new AbortController().signal;

export async function openTwoDoors(): Promise<TwoDoors> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-fuzz-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const path = await importTiny(folder);
  const model = await openModel(path);
  const index = join(folder, 'index');
  const store = stack.use(await openStore(index, { create: true }));
  const direct = await store.tables(await openModelGeneration(store, path, 'direct'));
  const queued = await store.tables(await openModelGeneration(store, path, 'queued'));
  const setup = engineSetup(index);
  const pools = stack.use(await createPools(model, { ...setup, preprocess: 'fast' }));
  const redis = stack.use(await startTestRedis());
  const engine = stack.use(await engineHere(setup));
  const queues = openQueues(redis.client, store.id);
  stack.defer(() => queues.close());
  const { log } = keptLog();
  const takeChunk = createChunkHandler({ store, engine, log, onSettled: () => undefined });
  const consumer = createConsumer({
    ...{ client: redis.client, indexId: store.id, takeChunk, concurrency: 4, lockDurationMs: 60_000 },
    answerQuery: () => Promise.reject(new Error('nobody asks')),
    retrieve: () => Promise.reject(new Error('nobody asks')),
    onTrouble: () => undefined,
    onNote: () => undefined,
  });
  stack.defer(() => consumer.close(1000));
  const pictureBytes = pictureValues(model.picture) * Float32Array.BYTES_PER_ELEMENT;
  const owned = stack.move();
  return {
    ...{ store, direct, queued },
    async index(source) {
      const common = { store, retryFailed: false, signal: NEVER };
      await indexSource({
        ...common,
        ...pools,
        source: source(),
        tables: direct,
        batchSize: 8,
        pictureBytes,
      });
      const producer = createProducer(queues, 4096);
      const asked = {
        ...common,
        producer,
        generation: queued.record,
        priority: 'normal',
        options: {},
      } as const;
      const { run } = await submitSource({ ...asked, source: source(), chunkItems: 64 });
      await untilComplete(store, run);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The engine's side of its calls, without a process of its own. */
async function engineHere(setup: Parameters<typeof serveCalls>[0]): Promise<Engine> {
  const serve = await serveCalls(setup, () => undefined);
  return {
    async call(call) {
      const reply = await serve({ id: 0, call });
      if (!reply) throw new Error('A call without an answer');
      if ('error' in reply) throw new VlmoError(reply.error.code, reply.error.message);
      return reply.answer as never;
    },
    restart: async () => undefined,
    async [Symbol.asyncDispose]() {
      await serve({ id: 0, call: { kind: 'close' } });
    },
  };
}

async function untilComplete(store: Store, run: string): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await setTimeout(20)) {
    if ((await completeRun(store, run))?.state === 'complete') return;
  }
  throw new Error(`The queued run ${run} has not ended within ${PATIENCE_MS / 1000} seconds`);
}
