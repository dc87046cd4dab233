import cliProgress from 'cli-progress';
import type { EvaluationProgress } from '#evaluate/evaluate.ts';
import type { ExportProgress } from '#exports/export-tables.ts';
import type { Progress } from '#pipeline/progress.ts';
import type { Submitted } from '#runs/submit.ts';
import type { PairProgress } from '#search/batch/pairs.ts';
import type { RetrievalProgress } from '#search/batch/retrieve.ts';
import type { CopyProgress } from '#store/lance/copy-index.ts';
import { formatCount, formatDuration, note } from './output.ts';
import { type Standing, standingLine } from './run-report.ts';

/** Redraws of a bar, and lines where there is no terminal to draw on. */
const BAR_INTERVAL_MS = 200;
const LINE_INTERVAL_MS = 10_000;

/** A display that a call starts, and that ends with it or before something is said. */
export interface UntilDone<T> extends Disposable {
  readonly start: (ask: () => T) => void;
  end(): void;
}

export function showUntilDone<T>(show: (ask: () => T) => Disposable): UntilDone<T> {
  let shown: Disposable | undefined;
  const end = (): void => {
    shown?.[Symbol.dispose]();
    shown = undefined;
  };
  return {
    start: (ask) => {
      shown = show(ask);
    },
    end,
    [Symbol.dispose]: end,
  };
}

/** Shows how far a run is, on stderr, until disposed of. */
export function showProgress(ask: () => Progress): Disposable {
  return show(() => {
    const progress = ask();
    return { fraction: progress.fraction, text: describe(progress) };
  });
}

/** Shows how far a submission is. */
export function showSubmission(ask: () => Submitted): Disposable {
  return show(() => {
    const { seen, chunks, fraction } = ask();
    return { fraction, text: `${formatCount(seen)} items submitted in ${formatCount(chunks)} jobs` };
  });
}

/** Shows how far a queued run is; nothing before it is known. */
export function showRun(ask: () => Standing | undefined): Disposable {
  return show(() => {
    const standing = ask();
    if (!standing) return { fraction: undefined, text: '' };
    const { seen, waiting } = standing.run;
    return { fraction: seen > 0 ? (seen - waiting) / seen : undefined, text: standingLine(standing) };
  });
}

/** Shows how far a batch retrieval is. */
export function showRetrieval(ask: () => RetrievalProgress): Disposable {
  const rate = rateSinceNow();
  return show(() => {
    const { answered, skipped, failed } = ask();
    const before = skipped > 0 ? `, ${formatCount(skipped)} before` : '';
    const text = `${formatCount(answered)} queries answered${before}, ${formatCount(failed)} failed, ${rate(answered)}`;
    return { fraction: undefined, text };
  });
}

/** Shows how far the scoring of pairs is. */
export function showPairs(ask: () => PairProgress): Disposable {
  const rate = rateSinceNow();
  return show(() => {
    const { scored, skipped } = ask();
    const before = skipped > 0 ? `, ${formatCount(skipped)} before` : '';
    return { fraction: undefined, text: `${formatCount(scored)} pairs scored${before}, ${rate(scored)}` };
  });
}

/** Shows how far an evaluation is. */
export function showEvaluation(ask: () => EvaluationProgress): Disposable {
  const rate = rateSinceNow();
  return show(() => {
    const { done, queries } = ask();
    const text = `${formatCount(done)} of ${formatCount(queries)} queries, ${rate(done)}`;
    return { fraction: done / queries, text };
  });
}

/** Shows how far an export is. */
export function showExport(ask: () => ExportProgress): Disposable {
  return show(() => {
    const { written, kept, total, rate, fraction, secondsLeft } = ask();
    const before = kept > 0 ? `, ${formatCount(kept)} before` : '';
    const left = secondsLeft === undefined ? '' : `, ${formatDuration(secondsLeft)} left`;
    const text = `${formatCount(written)} of ${formatCount(total)} rows written${before}, ${formatCount(Math.round(rate))} a second${left}`;
    return { fraction, text };
  });
}

/** Shows how far the copying of an index is. */
export function showCopy(ask: () => CopyProgress): Disposable {
  const started = performance.now();
  return show(() => {
    const { copied, kept, total } = ask();
    const rate = (1000 * copied) / (performance.now() - started);
    const left = rate > 0 ? `, ${formatDuration((total - copied - kept) / rate)} left` : '';
    const text = `${megabytes(copied + kept)} of ${megabytes(total)} MB, ${megabytes(rate)} MB a second${left}`;
    return { fraction: total > 0 ? (copied + kept) / total : 1, text };
  });
}

function megabytes(bytes: number): string {
  return formatCount(Math.round(bytes / 1e6));
}

function rateSinceNow(): (count: number) => string {
  const started = performance.now();
  return (count) => `${formatCount(Math.round((1000 * count) / (performance.now() - started)))} a second`;
}

interface Shown {
  /** Part done, 0 to 1, where it is known. */
  readonly fraction: number | undefined;
  readonly text: string;
}

function show(ask: () => Shown): Disposable {
  return process.stderr.isTTY ? showBar(ask) : showLines(ask);
}

function showBar(ask: () => Shown): Disposable {
  const bar = new cliProgress.SingleBar(
    {
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
      // The run has its own way to end on Ctrl-C.
      gracefulExit: false,
      format: (options, { progress }, payload) =>
        `${cliProgress.Format.BarFormat(progress, options)} ${String(payload.text)}`,
    },
    cliProgress.Presets.shades_classic,
  );
  bar.start(1, 0, { text: '' });
  const draw = (): void => {
    const { fraction, text } = ask();
    bar.update(fraction ?? 0, { text });
  };
  const timer = setInterval(draw, BAR_INTERVAL_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      bar.stop();
    },
  };
}

function showLines(ask: () => Shown): Disposable {
  const timer = setInterval(() => {
    const { text } = ask();
    if (text !== '') note(text);
  }, LINE_INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** `12,345 done, 3 failed, 200 skipped, 85 a second, 3 min 20 s left`. */
export function describe({ stored, failed, skipped, rate, fraction, secondsLeft }: Progress): string {
  const percent = fraction === undefined ? '' : `${Math.floor(fraction * 100)} %  `;
  const left = secondsLeft === undefined ? '' : `, ${formatDuration(secondsLeft)} left`;
  const speed = rate >= 10 ? formatCount(Math.round(rate)) : rate.toFixed(1);
  return `${percent}${formatCount(stored)} done, ${formatCount(failed)} failed, ${formatCount(skipped)} skipped, ${speed} a second${left}`;
}
