import type { IndexSummary } from '#runs/index-source.ts';
import type { Indexed } from '#service/contract.ts';
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_ITEMS_FAILED } from './exit-codes.ts';
import { goneJson, goneLines } from './gone-report.ts';
import { inKinds, kindsJson } from './kinds-report.ts';
import { formatCount, formatDuration, print, printJson } from './output.ts';
import { readingJson, readingLines } from './reading-report.ts';
import { sameContentJson, sameContentLines } from './same-content-report.ts';
import { truncatedJson, truncatedLines } from './truncated-report.ts';

interface ReportOptions {
  readonly prune: boolean | 'all';
  readonly dryRun: boolean;
  readonly index: string;
  readonly json: boolean;
}

/** Says how a run of `vlmo index` went, and sets the exit code. */
export function reportIndexing(summary: Indexed, options: ReportOptions): void {
  const { index, json } = options;
  const { name: generation, collection } = summary.generation;
  const { run, state, seen, stored, skipped, failed, knownFailures, seconds } = summary;
  if (json)
    printJson({
      run,
      state,
      collection,
      generation,
      seen,
      stored,
      skipped,
      failed,
      ...kindsJson(summary.kinds),
      known_failures: knownFailures,
      seconds,
      ...goneJson(summary.gone),
      ...sameContentJson(summary.same),
      ...truncatedJson(summary.truncated),
      ...readingJson(summary.reading),
    });
  else
    print(
      [
        describe(summary, index),
        ...goneLines(summary.gone, options),
        ...sameContentLines(summary.same, summary.source),
        ...truncatedLines(summary.truncated),
        ...readingLines(summary.reading),
      ].join('\n'),
    );
  process.exitCode = state === 'interrupted' ? EXIT_INTERRUPTED : failed > 0 ? EXIT_ITEMS_FAILED : EXIT_DONE;
}

function describe(
  { state, seen, stored, failed, knownFailures, seconds, kinds }: IndexSummary,
  index: string,
): string {
  const lines: string[] = [];
  if (state === 'interrupted') lines.push('Stopped. Run the same command again to go on.');
  if (seen === 0 && state === 'complete') lines.push('The source holds no pictures or captions.');
  else if (stored === 0 && failed === knownFailures && state === 'complete') {
    lines.push(
      `Nothing to do: ${inKinds(kinds, 'skipped')} are stored already${failed > 0 ? `, ${formatCount(failed)} failed before` : ''}.`,
    );
  } else {
    const rate = seconds > 0 ? `, ${formatCount(Math.round(stored / seconds))} a second` : '';
    lines.push(
      `Stored ${inKinds(kinds, 'stored')} in ${formatDuration(seconds)}${rate}; ${inKinds(kinds, 'skipped')} were stored already, ${formatCount(failed)} failed.`,
    );
  }
  if (failed > 0) lines.push(`What failed, and why: vlmo failures --index ${index}`);
  return lines.join('\n');
}
