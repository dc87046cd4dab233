import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import type { Indexed } from '#service/contract.ts';
import { openSource } from '#sources/open-source.ts';
import type { Call } from './call.ts';
import { assertPruneFlags } from './gone-report.ts';
import { reportIndexing } from './index-report.ts';
import { noteDevice } from './note-device.ts';
import { note } from './output.ts';
import { previewPrune } from './preview-prune.ts';
import { showProgress, showUntilDone } from './progress.ts';
import { stopOnSignals } from './signals.ts';
import { toSourceOptions } from './source-options.ts';
import { openTarget } from './target.ts';

/** `vlmo index`: a place with pictures and captions goes in, a searchable store of vectors comes out. */
export async function runIndex(
  config: CommandConfig<'index'>,
  [sourceName]: readonly [string],
  { origin }: Call<'index'>,
): Promise<void> {
  assertPruneFlags(config, origin);
  if (config.dryRun) return previewPrune(config, sourceName);
  const { collection, preprocess, retryFailed, verify, prune } = config;
  const device = await resolveDevice(config.device);
  const source = await openSource(sourceName, toSourceOptions(config));
  await using index = await openTarget(config, config);
  using signals = stopOnSignals();
  using progress = showUntilDone(showProgress);
  const { source: name, sourceMoved, imagesOf } = config;
  const asked = {
    collection,
    preprocess,
    retryFailed,
    verify,
    prune,
    sourceName: name,
    sourceMoved,
    imagesOf,
  };
  const indexed = await index.index(source, {
    ...{ ...asked, signal: signals.signal },
    onStart(count) {
      noteDevice(config.device, device);
      progress.start(count);
    },
  });
  progress.end();
  noteReplaced(indexed);
  reportIndexing(indexed, config);
  if (indexed.gone?.refused) throw indexed.gone.refused;
}

function noteReplaced({ generation, replaced }: Indexed): void {
  if (!replaced) return;
  const { collection, modelName, preprocess } = generation;
  note(
    `Collection "${collection}" is now served by model "${modelName}" (${preprocess} preprocessing); before by "${replaced.modelName}".`,
  );
}
