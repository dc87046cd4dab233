import type { CommandConfig } from '#config/commands.ts';
import { VlmoError } from '#errors.ts';
import { activeTables } from '#search/active-tables.ts';
import type { SearchTarget } from '#search/request.ts';
import type { GenerationTables } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { noteEvery } from './note-every.ts';
import { type OptimizedTable, reportOptimized, reportRecall } from './optimize-report.ts';
import { formatCount, formatDuration, note, printJson } from './output.ts';
import { type MeasuredRecall, measureTables } from './recall-measure.ts';
import { writeRecallPlot } from './recall-plot.ts';

type OptimizeFlags = CommandConfig<'optimize'>;

/** `vlmo optimize`: compacts an index, builds what approximate search needs, and measures what that costs in hits. */
export async function runOptimize(flags: OptimizeFlags): Promise<void> {
  assertTogether(flags);
  await using store = await openStore(flags.index, { create: false, write: true, note });
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
