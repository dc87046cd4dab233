import { HISTOGRAM_STEPS, type PairSummary } from '#search/batch/pairs.ts';
import type { Answers } from '#search/request.ts';
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_ITEMS_FAILED } from './exit-codes.ts';
import { formatCount, formatDuration, print, printJson } from './output.ts';
import { truncatedJson, truncatedLines } from './truncated-report.ts';

interface ReportOptions {
  readonly out: string;
  readonly json: boolean;
}

/** Says how a batch retrieval went, and sets the exit code. */
export function reportRetrieval(
  { answered, skipped, failed, hits, isWhole, truncated }: Answers['retrieve'],
  seconds: number,
  { out, json }: ReportOptions,
): void {
  process.exitCode = !isWhole ? EXIT_INTERRUPTED : failed > 0 ? EXIT_ITEMS_FAILED : EXIT_DONE;
  if (json) {
    printJson({
      out,
      complete: isWhole,
      answered,
      skipped,
      failed,
      hits,
      seconds,
      ...truncatedJson(truncated),
    });
    return;
  }
  if (!isWhole) print('Stopped. Run the same command again to go on.');
  const before = skipped > 0 ? `; ${formatCount(skipped)} were answered before` : '';
  print(
    `Answered ${formatCount(answered)} queries in ${formatDuration(seconds)} with ${formatCount(hits)} hits${before}.`,
  );
  for (const line of truncatedLines(truncated)) print(line);
  if (failed > 0) print(`${formatCount(failed)} queries failed: their rows say why in the column "error".`);
  if (isWhole) print(`Results: ${out}`);
}

const BAR_CHARACTERS = 50;

/** Says how the pairs of a collection are, with a histogram of their cosines. */
export function reportPairs(summary: PairSummary, { out, json }: ReportOptions): void {
  const { scored, skipped, kept, alone, histogram, isWhole } = summary;
  process.exitCode = isWhole ? EXIT_DONE : EXIT_INTERRUPTED;
  if (json) {
    printJson({ out, complete: isWhole, scored, skipped, kept, alone, histogram });
    return;
  }
  if (!isWhole) print('Stopped. Run the same command again to go on.');
  const most = Math.max(1, ...histogram);
  const shown = histogram.flatMap((count, step) => (count > 0 ? [step] : []));
  for (let step = shown[0] ?? 0; step <= (shown.at(-1) ?? -1); step++) {
    const from = (-1 + (2 * step) / HISTOGRAM_STEPS).toFixed(2).padStart(5);
    const count = histogram[step] ?? 0;
    const bar = '█'.repeat(Math.round((count / most) * BAR_CHARACTERS));
    print(`${from}  ${bar}${bar && ' '}${formatCount(count)}`);
  }
  const total = histogram.reduce((sum, count) => sum + count, 0);
  print(`${formatCount(kept)} of ${formatCount(total)} pairs are kept.`);
  if (alone > 0) print(`${formatCount(alone)} captions have no stored picture.`);
  if (isWhole) print(`Results: ${out}`);
}
