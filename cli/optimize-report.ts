import type { MeasuredRecall, OptimizedTable } from '#service/contract.ts';
import { formatCount, formatDuration, print, table } from './output.ts';

export function reportOptimized(tables: readonly OptimizedTable[]): void {
  for (const { table: name, rows, seconds, ann, annSeconds, reason } of tables) {
    print(`${name}: ${formatCount(rows)} rows, compacted in ${formatDuration(seconds)}; ${annState()}`);
    if (reason !== null && rows > 0) print(`  ${reason}`);

    function annState(): string {
      if (!ann) return 'no approximate index';
      const covered = `approximate index of ${formatCount(ann.rows)} rows`;
      const built = annSeconds === null ? '' : `, built in ${formatDuration(annSeconds)}`;
      const rest = ann.unindexed > 0 ? `, ${formatCount(ann.unindexed)} not in it yet` : '';
      return `${covered}${built}${rest}`;
    }
  }
}

/** A table for each direction: what was found and how long it took, by partitions looked into. */
export function reportRecall(measured: readonly MeasuredRecall[], plot: string | undefined): void {
  for (const { title, report, defaultProbes } of measured) {
    const { k, queries, exact, settings } = report;
    print(`\n${title}: recall@${k} of ${formatCount(queries)} queries`);
    const last = settings.at(-1)?.probes ?? 0;
    const rows = settings.map(({ probes, recall, atLeast, latency }) => [
      `${probes}${probes === Math.min(defaultProbes, last) ? ' (default)' : ''}`,
      recall.toFixed(3),
      atLeast.toFixed(3),
      latency.median.toFixed(1),
      latency.p95.toFixed(1),
      (exact.median / latency.median).toFixed(1),
    ]);
    const exactRow = ['exact', '1', '1', exact.median.toFixed(1), exact.p95.toFixed(1), '1'];
    const head = ['probes', 'recall', 'at least', 'median ms', '95 % ms', 'times as fast'];
    print(table([head, ...rows, exactRow]));
  }
  if (measured.length === 0) return;
  print('\n"At least": what the recall of all such queries is not below, with 95 % confidence.');
  if (plot !== undefined) print(`Plot: ${plot}`);
}
