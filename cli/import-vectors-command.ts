import type { CommandConfig } from '#config/commands.ts';
import { openVectorFolder } from '#exports/vector-folder.ts';
import type { VectorsImported } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_ITEMS_FAILED } from './exit-codes.ts';
import { inKinds, kindsJson } from './kinds-report.ts';
import { counted, formatCount, formatDuration, note, print, printJson, shellWord } from './output.ts';
import { showProgress, showUntilDone } from './progress.ts';
import { stopOnSignals } from './signals.ts';

type ImportFlags = CommandConfig<'import-vectors'>;

/** `vlmo import-vectors`: vectors that others computed become an index. */
export async function runImportVectors(flags: ImportFlags, [folder]: readonly [string]): Promise<void> {
  const { collection, source: sourceName, model } = flags;
  // No index is made for files that do not go together.
  await openVectorFolder(folder);
  await using index = await openIndex(flags.index, { create: true, model, note });
  using signals = stopOnSignals();
  using progress = showUntilDone(showProgress);
  const imported = await index.importVectors(folder, {
    ...{ collection, sourceName, signal: signals.signal, onStart: progress.start },
  });
  progress.end();
  report(imported, flags);
}

function report(imported: VectorsImported, { json, index, model }: ImportFlags): void {
  const { run, state, seen, stored, skipped, failed, normalised, seconds, generation } = imported;
  process.exitCode = state === 'interrupted' ? EXIT_INTERRUPTED : failed > 0 ? EXIT_ITEMS_FAILED : EXIT_DONE;
  if (json) {
    const { name, collection, dimensions } = generation;
    printJson({
      ...{ run, state, collection, generation: name, dimensions, seen, stored, skipped, failed },
      ...{ ...kindsJson(imported.kinds), normalised, seconds },
    });
    return;
  }
  if (state === 'interrupted') print('Stopped. Run the same command again to go on.');
  const { kinds, dimensions } = imported;
  print(
    `Stored ${inKinds(kinds, 'stored', { isAll: true, items: stored })} of ${dimensions} values in ${formatDuration(seconds)}; ${formatCount(skipped)} were stored already, ${formatCount(failed)} failed.`,
  );
  if (normalised > 0)
    print(
      `${counted(normalised, 'vector')} had not unit length: stored are those of the same direction that have.`,
    );
  if (failed > 0) print(`What failed, and why: vlmo failures --index ${shellWord(index)}`);
  if (model === undefined)
    note(
      'No model is known: search by --id or --key, or by text with --model FOLDER, the model that made the vectors.',
    );
}
