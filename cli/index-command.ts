import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import { pictureBatchSize } from '#pipeline/batch-size.ts';
import { type IndexSummary, indexSource } from '#runs/index-source.ts';
import { openSource } from '#sources/open-source.ts';
import type { GenerationRecord } from '#store/contract.ts';
import { createPools } from '#workers/threads/create-pools.ts';
import { reportIndexing } from './index-report.ts';
import { noteDevice } from './note-device.ts';
import { note } from './output.ts';
import { showProgress } from './progress.ts';
import { stopOnSignals } from './signals.ts';
import { toSourceOptions } from './source-options.ts';
import { openTarget } from './target.ts';

/** `vlmo index`: a place with pictures and captions goes in, a searchable store of vectors comes out. */
export async function runIndex(
  config: CommandConfig<'index'>,
  [sourceName]: readonly [string],
): Promise<void> {
  const device = await resolveDevice(config.device);
  const source = await openSource(sourceName, toSourceOptions(config));
  const { model, store, tables } = await openTarget(config, config.preprocess);
  await using _ = store;
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
      pictureBytes: pictureValues(model.config),
      retryFailed: config.retryFailed,
      signal: signals.signal,
      onStart: (ask) => {
        progress = showProgress(ask);
      },
    });
    progress?.[Symbol.dispose]();
    progress = undefined;
    noteServing(tables.record, summary);
    reportIndexing(summary, tables.record, config);
  } finally {
    progress?.[Symbol.dispose]();
  }
}

function noteServing(
  { collection, modelName, preprocess }: GenerationRecord,
  { replaced }: IndexSummary,
): void {
  if (!replaced) return;
  note(
    `Collection "${collection}" is now served by model "${modelName}" (${preprocess} preprocessing); before by "${replaced.modelName}".`,
  );
}
