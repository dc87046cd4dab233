import { resolve } from 'node:path';
import type { CommandConfig } from '#config/commands.ts';
import { copyIndexTo } from '#service/copy-index.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { formatCount, formatDuration, note, print, printJson, shellWord, table } from './output.ts';
import { showCopy, showUntilDone } from './progress.ts';
import { stopOnSignals } from './signals.ts';

/** `vlmo copy`: an index in another place, and back. */
export async function runCopy(
  { newId, json }: CommandConfig<'copy'>,
  [from, to]: readonly [string, string],
): Promise<void> {
  using signals = stopOnSignals();
  using progress = showUntilDone(showCopy);
  const started = performance.now();
  const copied = await copyIndexTo(from, to, {
    ...{ newId, signal: signals.signal, onStart: progress.start },
  }).catch((error: unknown) => {
    if (!signals.signal.aborted) throw error;
    return undefined;
  });
  progress.end();
  process.exitCode = copied ? EXIT_DONE : EXIT_INTERRUPTED;
  const seconds = (performance.now() - started) / 1000;
  if (!copied) {
    if (json) printJson({ from: resolve(from), to: resolve(to), complete: false, seconds });
    else print('Stopped. Run the same command again to go on.');
    return;
  }
  if (json) {
    printJson({ from: resolve(from), to: resolve(to), complete: true, ...copied, seconds });
    return;
  }
  const rows = copied.tables.map(({ name, rows: count, bytes, sha256 }) => [
    ...[name, formatCount(count), formatCount(bytes), sha256.slice(0, 12)],
  ]);
  print(table([['table', 'rows', 'bytes', 'sha256'], ...rows]));
  print(`Copied to ${resolve(to)} in ${formatDuration(seconds)}, every file compared.`);
  if (!newId)
    note(
      `It is the same index, with the same queue; to work on both: vlmo doctor --index ${shellWord(to)} --new-id`,
    );
}
