import type { Config } from '#config/options.ts';
import { openIndex } from '#service/open-index.ts';
import { openSource } from '#sources/open-source.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { goneJson, goneLines } from './gone-report.ts';
import { print, printJson } from './output.ts';
import { stopOnSignals } from './signals.ts';
import { type SourceConfig, toSourceOptions } from './source-options.ts';

type PreviewFlags = SourceConfig &
  Config<'collection' | 'json' | 'prune' | 'dryRun' | 'source' | 'sourceMoved'> & { readonly index: string };

/** `--prune --dry-run`: what would go of a source; the index is only read. */
export async function previewPrune(flags: PreviewFlags, place: string): Promise<void> {
  const source = await openSource(place, toSourceOptions(flags));
  await using index = await openIndex(flags.index);
  using signals = stopOnSignals();
  const { collection, prune, source: sourceName, sourceMoved } = flags;
  const gone = await index.gone(source, {
    ...{ collection, prune, sourceName, sourceMoved },
    signal: signals.signal,
  });
  if (flags.json) printJson({ collection, ...goneJson(gone), dry_run: true });
  else print(goneLines(gone, flags).join('\n'));
  process.exitCode = EXIT_DONE;
  if (gone.refused) throw gone.refused;
}
