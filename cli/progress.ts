import cliProgress from 'cli-progress';
import type { Progress } from '#pipeline/progress.ts';
import { formatCount, formatDuration, note } from './output.ts';

/** Redraws of a bar, and lines where there is no terminal to draw on. */
const BAR_INTERVAL_MS = 200;
const LINE_INTERVAL_MS = 10_000;

/** Shows how far a run is, on stderr, until disposed of. */
export function showProgress(ask: () => Progress): Disposable {
  return process.stderr.isTTY ? showBar(ask) : showLines(ask);
}

function showBar(ask: () => Progress): Disposable {
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
    const progress = ask();
    bar.update(progress.fraction ?? 0, { text: describe(progress) });
  };
  const timer = setInterval(draw, BAR_INTERVAL_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      bar.stop();
    },
  };
}

function showLines(ask: () => Progress): Disposable {
  const timer = setInterval(() => note(describe(ask())), LINE_INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** `12,345 done, 3 failed, 200 skipped, 85 a second, 3 min 20 s left`. */
export function describe({ stored, failed, skipped, rate, fraction, secondsLeft }: Progress): string {
  const percent = fraction === undefined ? '' : `${Math.floor(fraction * 100)} %  `;
  const left = secondsLeft === undefined ? '' : `, ${formatDuration(secondsLeft)} left`;
  const speed = rate >= 10 ? formatCount(Math.round(rate)) : rate.toFixed(1);
  return `${percent}${formatCount(stored)} done, ${formatCount(failed)} failed, ${formatCount(skipped)} skipped, ${speed} a second${left}`;
}
