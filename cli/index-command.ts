import { Command } from 'commander';
import { INDEX_OPTIONS, type IndexConfig } from '#config/options.ts';
import { readConfigFile, resolveConfig } from '#config/resolve.ts';
import { VlmoError } from '#errors.ts';
import { pictureValues } from '#model/config.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { type ModelFolder, openModelFolder } from '#model/folder.ts';
import { pictureBatchSize } from '#pipeline/batch-size.ts';
import { type IndexSummary, indexSource } from '#pipeline/index-source.ts';
import { openSource } from '#sources/open-source.ts';
import type { GenerationRecord, Store } from '#store/contract.ts';
import { openStore } from '#store/open-store.ts';
import { createInferencePool, createPreprocessPool } from '#workers/pools.ts';
import { reportIndexing } from './index-report.ts';
import { note } from './output.ts';
import { collect } from './parse-arguments.ts';
import { showProgress } from './progress.ts';
import { resolveModel } from './resolve-model.ts';
import { stopOnSignals } from './signals.ts';

interface IndexFlags {
  readonly index: string;
  readonly model?: string;
  readonly collection: string;
  readonly imageColumn?: string;
  readonly idColumn?: string;
  readonly captionColumn?: readonly string[];
  readonly captionIdColumn?: string;
  readonly retryFailed?: true;
  readonly json?: true;
}

/** `vlmo index`: a place with pictures and captions goes in, a searchable store of vectors comes out. */
export function indexCommand(): Command {
  const command = new Command('index')
    .description(
      'Index the pictures and captions of a folder or a manifest; running it again goes on where it stopped',
    )
    .argument('<source>', 'a folder, or a .csv, .tsv, .jsonl or .ndjson manifest')
    .requiredOption('--index <folder>', 'the index; made if it is not there')
    .option(
      '--model <folder>',
      'a model folder, or "demo"; left out, the one the collection was indexed with',
    )
    .option('--collection <name>', 'the collection', 'default')
    .option('--image-column <name>', 'column of a manifest with the picture')
    .option('--id-column <name>', 'column of a manifest with the id of the picture')
    .option(
      '--caption-column <name>',
      'column of a manifest with a caption; may be given several times',
      collect,
    )
    .option('--caption-id-column <name>', 'column of a manifest with the id of the caption')
    .option('--retry-failed', 'try again what is listed as failed')
    .option('--json', 'print a summary as JSON');
  for (const option of Object.values(INDEX_OPTIONS)) {
    command.option(option.flag, `${option.sentence} (${option.env}; default: ${option.default})`);
  }
  return command.action(runIndex);
}

async function runIndex(sourceName: string, flags: IndexFlags & Record<string, unknown>): Promise<void> {
  const config = resolveConfig({ flags, env: process.env, file: await readConfigFile() });
  const source = await openSource(sourceName, {
    imageColumn: flags.imageColumn,
    idColumn: flags.idColumn,
    captionColumns: flags.captionColumn,
    captionIdColumn: flags.captionIdColumn,
  });
  const known = await knownModel(flags);
  const model = await openModelFolder(known);
  requireEmbedding(model);
  await using store = await openStore(flags.index, { create: true });
  const tables = await store.openGeneration({
    collection: flags.collection,
    fingerprint: await fingerprint(model, config.preprocess),
    modelName: model.name,
    modelPath: model.path,
    preprocess: config.preprocess,
    dimensions: model.config.hidden_size,
  });
  const before = await store.activeGeneration(flags.collection);
  using signals = stopOnSignals();
  await using pools = await createPools(model, config);
  let progress: Disposable | undefined;
  try {
    const summary = await indexSource({
      source,
      store,
      tables,
      ...pools,
      batchSize: config.batchSize === 'auto' ? pictureBatchSize(model.config) : config.batchSize,
      pictureBytes: pictureValues(model.config) * Float32Array.BYTES_PER_ELEMENT,
      retryFailed: flags.retryFailed === true,
      signal: signals.signal,
      onStart: (ask) => {
        progress = showProgress(ask);
      },
    });
    progress?.[Symbol.dispose]();
    progress = undefined;
    await activate(store, tables.record, before, summary);
    reportIndexing(summary, tables.record, flags);
  } finally {
    progress?.[Symbol.dispose]();
  }
}

/** The model named, or the one that the collection was indexed with. */
async function knownModel({ model, index, collection }: IndexFlags): Promise<string> {
  if (model !== undefined) return resolveModel(model);
  const record = await openStore(index, { create: false }).then(
    async (store) => {
      await using open = store;
      return await open.activeGeneration(collection);
    },
    (error: unknown) => {
      if (error instanceof VlmoError && error.code === 'STORE_NOT_FOUND') return undefined;
      throw error;
    },
  );
  if (record) return record.modelPath;
  throw new VlmoError(
    'USAGE_INVALID',
    `Cannot index: expected --model FOLDER (or --model demo) for a new collection, received none`,
  );
}

function requireEmbedding({ name, heads, config }: ModelFolder): void {
  if (!heads.itc) {
    throw new VlmoError(
      'MODEL_HEAD_MISSING',
      `Cannot index with model "${name}": expected ITC heads, received a checkpoint without them`,
    );
  }
  if (config.num_channels !== 3 && config.num_channels !== 1) {
    throw new VlmoError(
      'MODEL_INPUT_INVALID',
      `Cannot index with model "${name}": expected pictures of 1 or 3 channels, received a model for ${config.num_channels}`,
    );
  }
}

async function createPools(
  model: ModelFolder,
  config: IndexConfig,
): Promise<AsyncDisposable & Pick<Parameters<typeof indexSource>[0], 'preprocess' | 'inference'>> {
  const inference = await createInferencePool(model, {
    workers: config.inferenceWorkers,
    threadsPerWorker: 1,
  });
  const setup = {
    spec: model.config,
    mode: config.preprocess,
    maxPixels: config.maxPixels,
    maxImageBytes: config.maxImageBytes,
  };
  const preprocess = createPreprocessPool(setup, config.decodeThreads);
  return {
    preprocess,
    inference,
    async [Symbol.asyncDispose]() {
      await preprocess[Symbol.asyncDispose]();
      await inference[Symbol.asyncDispose]();
    },
  };
}

/** A new model serves from the moment a run of it is complete; until then the old one does. */
async function activate(
  store: Store,
  record: GenerationRecord,
  before: GenerationRecord | undefined,
  { state }: IndexSummary,
): Promise<void> {
  if (state !== 'complete' || before?.name === record.name) return;
  await store.activate(record);
  note(
    `Collection "${record.collection}" is now served by model "${record.modelName}" (${record.preprocess} preprocessing); before by "${before?.modelName}".`,
  );
}
