import { Command } from 'commander';
import { INDEX_OPTIONS } from '#config/options.ts';
import { resolveDevice } from '#devices/device.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import { pictureBatchSize } from '#pipeline/batch-size.ts';
import { type IndexSummary, indexSource } from '#runs/index-source.ts';
import { openSource } from '#sources/open-source.ts';
import type { GenerationRecord, Store } from '#store/contract.ts';
import { createPools } from '#workers/threads/create-pools.ts';
import { addConfigOptions, readConfig } from './config-options.ts';
import { reportIndexing } from './index-report.ts';
import { noteDevice } from './note-device.ts';
import { note } from './output.ts';
import { showProgress } from './progress.ts';
import { stopOnSignals } from './signals.ts';
import { addSourceOptions, type SourceFlags, toSourceOptions } from './source-options.ts';
import { openTarget, type TargetFlags } from './target.ts';

interface IndexFlags extends TargetFlags, SourceFlags {
  readonly retryFailed?: true;
  readonly json?: true;
}

const OPTIONS = Object.keys(INDEX_OPTIONS) as (keyof typeof INDEX_OPTIONS)[];

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
    .option('--retry-failed', 'try again what is listed as failed')
    .option('--json', 'print a summary as JSON');
  addConfigOptions(addSourceOptions(command), OPTIONS);
  return command.action(runIndex);
}

async function runIndex(sourceName: string, flags: IndexFlags): Promise<void> {
  const config = await readConfig(OPTIONS, flags);
  const device = await resolveDevice(config.device);
  const source = await openSource(sourceName, toSourceOptions(flags));
  const { model, store, tables } = await openTarget(flags, config.preprocess);
  await using _ = store;
  const before = await store.activeGeneration(flags.collection);
  using signals = stopOnSignals();
  await using pools = await createPools(model, { ...config, provider: device.provider });
  noteDevice(config.device, device);
  const isGpu = device.provider !== 'cpu';
  let progress: Disposable | undefined;
  try {
    const summary = await indexSource({
      source,
      store,
      tables,
      ...pools,
      batchSize: config.batchSize === 'auto' ? pictureBatchSize(model.config, isGpu) : config.batchSize,
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
