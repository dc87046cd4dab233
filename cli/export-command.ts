import { resolve } from 'node:path';
import type { CommandConfig } from '#config/commands.ts';
import type { Exported } from '#exports/export-tables.ts';
import { openIndex } from '#service/open-index.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { counted, formatCount, formatDuration, note, print, printJson, shellWord } from './output.ts';
import { showExport, showUntilDone } from './progress.ts';
import { stopOnSignals } from './signals.ts';

type ExportFlags = CommandConfig<'export'>;

/** `vlmo export`: a collection in files that other programs read. */
export async function runExport(flags: ExportFlags, [out]: readonly [string]): Promise<void> {
  const { to, collection, generation, in: target, where, partRows, failures } = flags;
  await using index = await openIndex(flags.index, { note });
  using signals = stopOnSignals();
  using progress = showUntilDone(showExport);
  const started = performance.now();
  const exported = await index.export(
    { to, out, collection, generation, in: target, where, partRows, failures },
    { signal: signals.signal, onStart: progress.start },
  );
  progress.end();
  process.exitCode = exported.isWhole ? EXIT_DONE : EXIT_INTERRUPTED;
  const seconds = (performance.now() - started) / 1000;
  if (flags.json) {
    const { isWhole: complete, written, kept, tables, hasChanged } = exported;
    printJson({ out: resolve(out), complete, written, kept, tables, changed: hasChanged, seconds });
    return;
  }
  report(exported, seconds, flags, out);
}

function report(
  { isWhole, written, kept, tables }: Exported,
  seconds: number,
  { to, index }: ExportFlags,
  out: string,
): void {
  const before = kept > 0 ? `; ${formatCount(kept)} were written before` : '';
  print(`Wrote ${counted(written, 'row')} in ${formatDuration(seconds)}${before}.`);
  if (!isWhole) {
    print('Stopped. Run the same command again to go on.');
    return;
  }
  for (const [name, { rows, parts }] of Object.entries(tables))
    print(`${name}: ${counted(rows, 'row')} in ${counted(parts, 'part')}`);
  print(`Export: ${resolve(out)}`);
  const rest = `vlmo export --index ${shellWord(index)} --to parquet OUT`;
  if (to === 'clip-retrieval' && 'pairs' in tables)
    note(`A row is a picture with its first caption; ${rest} has the other captions too.`);
}
