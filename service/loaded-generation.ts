import { type Device, resolveDevice } from '#devices/device.ts';
import { type CrossEncoder, createCrossEncoder } from '#model/cross-encoder.ts';
import { createEncoder, type Encoder } from '#model/encoder.ts';
import type { Model } from '#model/model.ts';
import { loadTokenizer, type TextEncoder } from '#model/tokenizer.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import { pictureBatchSize } from '#pipeline/batch-size.ts';
import type { Fetcher } from '#pipeline/fetcher.ts';
import { Indexer, type IndexerSetup } from '#pipeline/indexer.ts';
import { createChunkPlanner, type Planner } from '#pipeline/lookup.ts';
import { createResidentScorer, type ResidentScorer } from '#scorer/resident-scorer.ts';
import { openGenerationModel, preprocessMode } from '#search/generation-model.ts';
import type { CaptionRecord, GenerationTables, ImageRecord, Store } from '#store/contract.ts';
import type { Pools } from '#workers/threads/create-pools.ts';
import { kept } from './kept.ts';
import { loadRunner } from './loaded-runner.ts';
import { loadReranker } from './reranker.ts';
import type { Settings } from './settings.ts';

/** A generation and what it is worked on with, each part loaded when it is first asked for and kept. */
export interface LoadedGeneration extends AsyncDisposable {
  readonly tables: GenerationTables;
  /** Opened, and proven to have made this generation. */
  model(): Promise<Model>;
  pools(): Promise<Pools>;
  tokenizer(): Promise<TextEncoder>;
  encoder(): Promise<Encoder>;
  /** Whether there is something that reads pairs. */
  canMatch(): Promise<boolean>;
  /** The one that the index was opened with, else the generation's own. Throws MODEL_HEAD_MISSING before anything is loaded. */
  crossEncoder(): Promise<CrossEncoder>;
  /** They load the vectors when they are first asked. */
  scorers(): Promise<Scorers>;
  /** Pictures of one run of the model. */
  batchSize(): Promise<number>;
  /** Gets pictures that lie elsewhere. */
  readonly fetcher: Fetcher;
  indexing(): Promise<Indexing>;
}

export interface Scorers {
  readonly images: ResidentScorer<ImageRecord>;
  readonly captions: ResidentScorer<CaptionRecord>;
}

export interface Indexing {
  readonly plan: Planner;
  /** The indexer of all chunks; a new one after the store has refused a commit of the last one. */
  indexer(): Indexer;
}

/** `note` is told where the model does not compute as it was asked to. */
export function loadGeneration(
  store: Store,
  tables: GenerationTables,
  settings: Settings,
  fetcher: Fetcher,
  note: (line: string) => void,
): LoadedGeneration {
  const { record } = tables;
  const device = kept(() => resolveDevice(settings.device));
  const model = kept(() => openGenerationModel(record, { path: settings.model, index: store.uri }));
  const own = loadRunner({ model, device, preprocess: () => preprocessMode(record), settings, note });
  const { pools, runner } = own;
  const reranker =
    settings.reranker === undefined ? undefined : loadReranker(settings.reranker, device, settings, note);
  const batchSize = async (): Promise<number> => {
    const isGpu = (await device()).provider !== 'cpu';
    return settings.batchSize === 'auto' ? pictureBatchSize(await model(), isGpu) : settings.batchSize;
  };
  const scorers = kept(async () => createScorers(tables, await device()));
  return {
    ...{ tables, model, pools, scorers, batchSize, fetcher },
    tokenizer: kept(async () => {
      const { path, maxTokens } = await model();
      return loadTokenizer(path, maxTokens);
    }),
    encoder: kept(async () => createEncoder(await runner(), await batchSize())),
    async canMatch() {
      return (await (reranker ?? { model }).model()).canMatch;
    },
    crossEncoder:
      reranker?.crossEncoder ??
      kept(async () => {
        (await model()).requireMatching();
        return createCrossEncoder(await runner());
      }),
    indexing: kept(async () =>
      createIndexing({ store, tables, fetcher }, await model(), await pools(), await batchSize()),
    ),
    async [Symbol.asyncDispose]() {
      const made = await scorers.made();
      await made?.images[Symbol.asyncDispose]();
      await made?.captions[Symbol.asyncDispose]();
      await own[Symbol.asyncDispose]();
      await reranker?.[Symbol.asyncDispose]();
    },
  };
}

function createScorers({ record, images, captions }: GenerationTables, device: Device): Scorers {
  const options = { device, dimensions: record.dimensions };
  return { images: createResidentScorer(images, options), captions: createResidentScorer(captions, options) };
}

function createIndexing(
  { store, tables, fetcher }: Pick<IndexerSetup, 'store' | 'tables' | 'fetcher'>,
  model: Model,
  { preprocess, inference }: Pools,
  batchSize: number,
): Indexing {
  const pictureBytes = pictureValues(model.picture);
  const setup = { store, tables, fetcher, preprocess, inference, batchSize, pictureBytes };
  let indexer = new Indexer(setup);
  return {
    plan: createChunkPlanner(store, tables),
    indexer() {
      if (indexer.writer.hasFailed) indexer = new Indexer(setup);
      return indexer;
    },
  };
}
