import { Command } from 'commander';
import { VlmoError } from '#errors.ts';
import { activeTables } from '#search/active-tables.ts';
import type { SearchTarget } from '#search/request.ts';
import type { GenerationTables } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { noteEvery } from './note-every.ts';
import { type OptimizedTable, reportOptimized, reportRecall } from './optimize-report.ts';
import { formatCount, formatDuration, printJson } from './output.ts';
import { positiveInteger } from './parse-arguments.ts';
import { type MeasuredRecall, type MeasureFlags, measureTables } from './recall-measure.ts';
import { writeRecallPlot } from './recall-plot.ts';

interface OptimizeFlags extends MeasureFlags {
  readonly index: string;
  readonly collection: string;
  readonly ann?: true;
  readonly dropAnn?: true;
  readonly measure?: true;
  readonly plot?: string;
  readonly json?: true;
}

/** `vlmo optimize`: compacts an index, builds what approximate search needs, and measures what that costs in hits. */
export function optimizeCommand(): Command {
  return new Command('optimize')
    .description(
      'Compact the tables of an index; build an approximate index of the vectors, and measure what it finds and how fast',
    )
    .requiredOption('--index <folder>', 'the index')
    .option('--collection <name>', 'the collection', 'default')
    .option('--ann', 'build an approximate index of the vectors, anew where there is one')
    .option('--drop-ann', 'remove it')
    .option('--measure', 'compare approximate with exact search: recall and latency, as a table and a plot')
    .option('--queries <file>', 'with --measure, a text query a line (default: what the collection stores)')
    .option('--sample <count>', 'with --measure, how many stored items are queries', positiveInteger, 200)
    .option('--seed <number>', 'with --measure, which ones: the same for the same number', positiveInteger, 1)
    .option('-k <hits>', 'with --measure, hits of a query', positiveInteger, 10)
    .option('--plot <file>', 'with --measure, where the plot goes, .svg or .png (default: recall.svg)')
    .option('--model <folder>', 'with --queries, where the model of the collection lies now, if it moved')
    .option('--json', 'print JSON')
    .action(runOptimize);
}

async function runOptimize(flags: OptimizeFlags): Promise<void> {
  assertTogether(flags);
  await using store = await openStore(flags.index, { create: false });
  const tables = await activeTables(store, flags.collection);
  const isMeasuredOnly = flags.measure && !flags.ann && !flags.dropAnn;
  const optimized = isMeasuredOnly ? [] : await optimizeTables(tables, flags);
  if (!isMeasuredOnly) await store.failures.optimize();
  const measured = flags.measure ? await measureTables(tables, flags) : [];
  const plot = flags.measure ? (flags.plot ?? 'recall.svg') : undefined;
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

/** Throws ANN_UNSUITABLE where an index was to be built, and no table can have one. */
async function optimizeTables(tables: GenerationTables, flags: OptimizeFlags): Promise<OptimizedTable[]> {
  const optimized: OptimizedTable[] = [];
  const refused: VlmoError[] = [];
  for (const target of ['images', 'captions'] as const) {
    const table = tables[target];
    const start = performance.now();
    if (flags.dropAnn) await table.dropVectorIndex();
    await table.optimize();
    const seconds = secondsSince(start);
    const built = flags.ann ? await build(tables, target) : undefined;
    if (built instanceof VlmoError) refused.push(built);
    optimized.push({
      table: target,
      rows: await table.count(),
      seconds,
      ann: (await table.vectorIndex()) ?? null,
      annSeconds: typeof built === 'number' ? built : null,
      reason: built instanceof VlmoError ? built.message : null,
    });
  }
  if (refused.length === optimized.length) throw refused[0];
  return optimized;
}

/** Seconds that it took, or why the table cannot have an index. */
async function build(tables: GenerationTables, target: SearchTarget): Promise<number | VlmoError> {
  const start = performance.now();
  const what = `approximate index of ${formatCount(await tables[target].count())} ${target}`;
  using _ = noteEvery(() => `Building the ${what}, since ${formatDuration(secondsSince(start))}`);
  try {
    await tables[target].buildVectorIndex();
    return secondsSince(start);
  } catch (error) {
    if (error instanceof VlmoError && error.code === 'ANN_UNSUITABLE') return error;
    throw error;
  }
}

async function writePlot(file: string, measured: readonly MeasuredRecall[]): Promise<void> {
  await writeRecallPlot(file, measured).catch((cause: unknown) => {
    const message = `Cannot write the plot "${file}": expected a place for a file, received ${String(cause)}`;
    throw new VlmoError('USAGE_INVALID', message, { cause });
  });
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
