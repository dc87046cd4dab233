import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fingerprint } from '#model/fingerprint.ts';
import type { Model } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import { type IndexJob, type IndexSummary, indexSource } from '#runs/index-source.ts';
import type { Item, Source } from '#sources/item.ts';
import type { FailureRecord, GenerationTables, ImageRecord, Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { createPreprocessPool, type PreprocessPool } from '#workers/decode/preprocess-pool.ts';
import { createInferencePool, type InferencePool } from '#workers/threads/pools.ts';
import { importTiny } from '../fixtures/tiny-model.ts';

/** A model on its threads, ready for runs. */
export interface Engine extends AsyncDisposable {
  readonly model: Model;
  readonly preprocess: PreprocessPool;
  readonly inference: InferencePool;
}

/** The small reference model on two threads, and two processes that decode. */
export async function startEngine(): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-test-'));
  const model = await openModel(await importTiny(folder));
  const inference = await createInferencePool(model, { workers: 2, threadsPerWorker: 1 });
  const limits = { maxPixels: 1_000_000, maxImageBytes: 1_000_000 };
  const preprocess = createPreprocessPool({ spec: model.picture, mode: 'fast', ...limits }, 2);
  return {
    model,
    preprocess,
    inference,
    async [Symbol.asyncDispose]() {
      await preprocess[Symbol.asyncDispose]();
      await inference[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

/** The store of one test with the tables of the engine's generation. */
export interface Index extends AsyncDisposable {
  readonly store: Store;
  readonly tables: GenerationTables;
  images(): Promise<ImageRecord[]>;
  failures(): Promise<FailureRecord[]>;
}

export async function openIndex(path: string, { model }: Engine): Promise<Index> {
  const store = await openStore(path, { create: true });
  const tables = await store.openGeneration({
    collection: 'default',
    fingerprint: await fingerprint(model, 'fast'),
    modelName: model.name,
    modelPath: model.path,
    preprocess: 'fast',
    dimensions: model.dimensions,
  });
  return {
    store,
    tables,
    images: () => collect(tables.images.scan()),
    failures: () => collect(store.failures.scan()),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** One run over a source, in batches of 8 pictures. */
export function run(
  { preprocess, inference, model }: Engine,
  { store, tables }: Pick<Index, 'store' | 'tables'>,
  source: Source,
  options: Partial<
    Pick<
      IndexJob,
      'retryFailed' | 'signal' | 'onStart' | 'fetcher' | 'sourceName' | 'imagesOf' | 'prune' | 'verify'
    >
  > = {},
): Promise<IndexSummary> {
  return indexSource({
    source,
    store,
    tables,
    preprocess,
    inference,
    batchSize: 8,
    pictureBytes: pictureValues(model.picture),
    retryFailed: false,
    signal: new AbortController().signal,
    ...options,
  });
}

/** What a run counted, without what differs from run to run. */
export function counts({ state, seen, stored, skipped, failed, knownFailures }: IndexSummary) {
  return { state, seen, stored, skipped, failed, knownFailures };
}

/** A source that gives what a generator makes. */
export function generated(items: (signal?: AbortSignal) => AsyncIterable<Item>): Source {
  return { uri: 'generated', items, fraction: () => undefined };
}

/** All that a stream gives. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream) values.push(value);
  return values;
}
