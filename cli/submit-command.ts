import type { CommandConfig } from '#config/commands.ts';
import type { Submitted } from '#runs/submit.ts';
import { openSource } from '#sources/open-source.ts';
import type { Call } from './call.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { followRun } from './follow-run.ts';
import { assertPruneFlags, goneJson, goneLines } from './gone-report.ts';
import { inKinds } from './kinds-report.ts';
import { hintFlags, openRedis, patienceOf, SUBMIT_SECONDS } from './open-queue.ts';
import { counted, formatCount, note, print, printJson } from './output.ts';
import { previewPrune } from './preview-prune.ts';
import { showSubmission, showUntilDone } from './progress.ts';
import { readingJson, readingLines } from './reading-report.ts';
import { stopOnSignals } from './signals.ts';
import { toSourceOptions } from './source-options.ts';
import { openTarget } from './target.ts';
import { truncatedJson, truncatedLines } from './truncated-report.ts';

type SubmitConfig = CommandConfig<'submit'>;

/** `vlmo submit`: a source into jobs, for workers on this machine or others. */
export async function runSubmit(
  config: SubmitConfig,
  [sourceName]: readonly [string],
  { origin }: Call<'submit'>,
): Promise<void> {
  assertPruneFlags(config, origin);
  if (config.dryRun) return previewPrune(config, sourceName);
  const { collection, preprocess, priority, retryFailed, verify, prune, chunkItems, maxWaiting } = config;
  const source = await openSource(sourceName, toSourceOptions(config));
  await using index = await openTarget(config);
  using signals = stopOnSignals();
  const patience = { seconds: patienceOf(config, SUBMIT_SECONDS), signal: signals.signal };
  await using redis = await openRedis(index, config, patience);
  using progress = showUntilDone(showSubmission);
  const submitted = await index.submit(source, {
    ...{ collection, preprocess, priority, retryFailed, verify, prune, chunkItems, maxWaiting },
    ...{ sourceName: config.source, sourceMoved: config.sourceMoved, imagesOf: config.imagesOf },
    ...{ source: toSourceOptions(config), redis: redis.client },
    redisPatience: patience.seconds,
    ...{ signal: signals.signal, onStart: progress.start },
  });
  progress.end();
  report(submitted, config);
  if (config.wait && submitted.isWhole)
    await followRun(index, redis.client, submitted.run, signals.signal, config);
  if (submitted.gone?.refused) throw submitted.gone.refused;
}

function report(submitted: Submitted, config: SubmitConfig): void {
  const { run, seen, chunks, added, isResumed, isWhole } = submitted;
  process.exitCode = isWhole ? EXIT_DONE : EXIT_INTERRUPTED;
  if (config.json && !config.wait) {
    const { images, captions } = submitted.kinds;
    const reading = {
      ...{ images: images.seen, captions: captions.seen },
      ...goneJson(submitted.gone),
      ...truncatedJson(submitted.truncated),
      ...readingJson(submitted.reading),
    };
    printJson({ run, seen, jobs: chunks, added, resumed: isResumed, complete: isWhole, ...reading });
    return;
  }
  const say = config.json ? note : print;
  if (!isWhole) say('Stopped. Run the same command again to go on.');
  if (isResumed)
    note('An unfinished run over this source goes on; what is queued or done already is not added again.');
  say(
    `Run ${run}: ${inKinds(submitted.kinds, 'seen', { isAll: true, items: seen })} in ${counted(chunks, 'job')}, ${formatCount(added)} of them new in the queue.`,
  );
  const lines = [...goneLines(submitted.gone, config), ...truncatedLines(submitted.truncated)];
  for (const line of [...lines, ...readingLines(submitted.reading)]) say(line);
  if (!config.wait)
    note(
      `Work on it: vlmo worker ${hintFlags(config)}\nSee how far it is: vlmo status ${run} ${hintFlags(config)}`,
    );
}
