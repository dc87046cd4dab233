import { access, constants } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { CommandConfig } from '#config/commands.ts';
import { VlmoError } from '#errors.ts';
import type { MeasuredRecall } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import { writeRecallPlot } from '#service/recall-plot.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { noteEvery } from './note-every.ts';
import { reportOptimized, reportRecall } from './optimize-report.ts';
import { formatCount, formatDuration, note, printJson } from './output.ts';

type OptimizeFlags = CommandConfig<'optimize'>;

/** `vlmo optimize`: compacts an index, builds what approximate search needs, and measures what that costs in hits. */
export async function runOptimize(flags: OptimizeFlags): Promise<void> {
  assertTogether(flags);
  const plot = flags.measure ? (flags.plot ?? 'recall.svg') : undefined;
  if (plot !== undefined) await requirePlace(plot);
  const { collection, queries, sample, seed, k, model } = flags;
  await using index = await openIndex(flags.index, {
    compute: 'thread',
    device: 'cpu',
    model,
    write: true,
    note,
  });
  const isMeasuredOnly = flags.measure && !flags.ann && !flags.dropAnn;
  const ann = flags.ann ? 'build' : flags.dropAnn ? 'drop' : undefined;
  const optimized = isMeasuredOnly ? [] : await index.optimize({ collection, ann, onBuild: showBuilding });
  const asked = { collection, queries, sample, seed, k, onMeasure: showMeasuring };
  const measured = flags.measure ? await index.measure(asked) : [];
  if (plot !== undefined) await writePlot(plot, measured);
  if (flags.json) {
    const recall = measured.map(({ title, report, ...rest }) => ({ queriedBy: title, ...rest, ...report }));
    printJson({ collection: flags.collection, tables: optimized, recall, plot: plot ?? null });
  } else {
    reportOptimized(optimized);
    reportRecall(measured, plot);
  }
  process.exitCode = EXIT_DONE;
}

function showBuilding(table: string, rows: number): Disposable {
  const start = performance.now();
  const since = (): string => formatDuration((performance.now() - start) / 1000);
  return noteEvery(() => `Building the approximate index of ${formatCount(rows)} ${table}, since ${since()}`);
}

function showMeasuring(title: string, queries: number, done: () => number): Disposable {
  const [from, to] = title.split(' → ');
  if (from === to) {
    const other = to === 'images' ? 'captions' : 'images';
    note(`There are no ${other} to find ${to} by: ${to} find each other, which is easier.`);
  }
  return noteEvery(() => `Measuring ${title}: ${done()} of ${queries} queries`);
}

function assertTogether({ ann, dropAnn, measure, queries, plot }: OptimizeFlags): void {
  const wrong =
    ann && dropAnn
      ? 'one of --ann and --drop-ann, received both'
      : dropAnn && measure
        ? '--measure where there is an approximate index, received --drop-ann too'
        : !measure && (queries !== undefined || plot !== undefined)
          ? `--measure with ${queries === undefined ? '--plot' : '--queries'}, received none`
          : undefined;
  if (wrong !== undefined) throw new VlmoError('USAGE_INVALID', `Cannot optimize: expected ${wrong}`);
}

/** Before the minutes that measuring takes. */
async function requirePlace(file: string): Promise<void> {
  await access(dirname(resolve(file)), constants.W_OK).catch((cause: unknown) => refusePlot(file, cause));
}

async function writePlot(file: string, measured: readonly MeasuredRecall[]): Promise<void> {
  await writeRecallPlot(file, measured).catch((cause: unknown) => refusePlot(file, cause));
}

function refusePlot(file: string, cause: unknown): never {
  const message = `Cannot write the plot "${file}": expected a place for a file, received ${String(cause)}`;
  throw new VlmoError('USAGE_INVALID', message, { cause });
}
