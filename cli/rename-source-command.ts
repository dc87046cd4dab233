import type { CommandConfig } from '#config/commands.ts';
import { openIndex } from '#service/open-index.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { note, print, printable, printJson } from './output.ts';

/** `vlmo sources rename`: a name for a source that was indexed by its place, or by another one. */
export async function runRenameSource(
  { index: folder, json }: CommandConfig<'sources rename'>,
  [from, to]: readonly [string, string],
): Promise<void> {
  await using index = await openIndex(folder, { write: true, note });
  await index.sources.rename(from, to);
  if (json) printJson({ from, to });
  else
    print(
      `Source "${printable(from)}" is called "${printable(to)}" now; the next run over its place says so: --source.`,
    );
  process.exitCode = EXIT_DONE;
}
