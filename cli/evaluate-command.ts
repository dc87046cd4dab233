import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import { VlmoError } from '#errors.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import { openSource } from '#sources/open-source.ts';
import { reportCalibration, reportEvaluation } from './evaluate-report.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { noteDevice } from './note-device.ts';
import { note } from './output.ts';
import { showEvaluation, showProgress, showUntilDone } from './progress.ts';
import { stopOnSignals } from './signals.ts';
import { toSourceOptions } from './source-options.ts';
import { openTarget } from './target.ts';

type EvaluateFlags = CommandConfig<'evaluate'>;

/** `vlmo evaluate`: a source is indexed where one is named, then what the collection stores is evaluated. */
export async function runEvaluate(
  flags: EvaluateFlags,
  [source]: readonly [string | undefined],
): Promise<void> {
  assertTogether(flags);
  noteDevice(flags.device, await resolveDevice(flags.device));
  const settings = { ...flags, note };
  await using index = await (source === undefined
    ? openIndex(flags.index, settings)
    : openTarget(flags, flags));
  using signals = stopOnSignals();
  if (source !== undefined && !(await indexFirst(index, source, flags, signals.signal))) return;
  using progress = showUntilDone(showEvaluation);
  const { collection, where, rerank, partial, calibrate, sample, seed } = flags;
  if (calibrate) {
    const asked = { collection, where, sample, seed, signal: signals.signal, onStart: progress.start };
    const calibrated = await index.calibrate(asked);
    progress.end();
    reportCalibration(calibrated, flags);
    process.exitCode = EXIT_DONE;
    return;
  }
  const evaluation = await index.evaluate({
    ...{ collection, where, rerank, partial, seed },
    ...{ signal: signals.signal, onStart: progress.start },
  });
  progress.end();
  reportEvaluation(evaluation, flags);
  process.exitCode = EXIT_DONE;
}

function assertTogether({ calibrate, rerank, partial }: EvaluateFlags): void {
  if (!calibrate || (rerank === undefined && !partial)) return;
  const message = `Cannot evaluate: expected --calibrate or ${partial ? '--partial' : '--rerank'}, received both`;
  throw new VlmoError('USAGE_INVALID', message);
}

/** Whether all of the source was read; what of it failed is the evaluation's to refuse. */
async function indexFirst(
  index: OpenIndex,
  place: string,
  flags: EvaluateFlags,
  signal: AbortSignal,
): Promise<boolean> {
  const source = await openSource(place, toSourceOptions(flags));
  using progress = showUntilDone(showProgress);
  const { collection, preprocess } = flags;
  const { state } = await index.index(source, { collection, preprocess, signal, onStart: progress.start });
  progress.end();
  if (state === 'complete') return true;
  note('Stopped while indexing. Run the same command again to go on.');
  process.exitCode = EXIT_INTERRUPTED;
  return false;
}
