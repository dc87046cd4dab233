import { VlmoError } from '#errors.ts';
import type { GoneItems } from '#runs/pass.ts';
import type { Call } from './call.ts';
import { counted, printable } from './output.ts';

interface PruneFlags {
  readonly prune: boolean | 'all';
  readonly dryRun: boolean;
}

/** Holds that what takes items out is said on the command line: what a variable or a file was once set to must not. */
export function assertPruneFlags(
  { prune, dryRun }: PruneFlags,
  origin: (name: 'prune') => ReturnType<Call<'index'>['origin']>,
): void {
  if (prune !== false && origin('prune') !== 'flag')
    throw new VlmoError(
      'USAGE_INVALID',
      'Cannot take out what is gone: expected --prune on the command line, received it elsewhere',
    );
  if (dryRun && prune === false)
    throw new VlmoError(
      'USAGE_INVALID',
      'Cannot say what would go: expected --prune beside --dry-run, received none',
    );
}

/** What a source no longer lists, for `--json`; null where that cannot be told. */
export function goneJson(gone: GoneItems | undefined): object {
  const { images = 0, captions = 0, failures = 0 } = gone ?? {};
  const isKnown = gone !== undefined && gone.unread === undefined;
  return { gone: isKnown ? { images, captions, failures } : null, pruned: gone?.isTakenOut ?? false };
}

/** The same for people; no line where nothing is gone. `isDry`: nothing was to be taken out. */
export function goneLines(gone: GoneItems | undefined, { prune, dryRun }: PruneFlags): string[] {
  if (!gone) return [];
  const { images, captions, failures, isTakenOut, unread, reader } = gone;
  if (unread !== undefined)
    return [`What the source no longer lists is not known: "${printable(unread)}" could not be read.`];
  const items = `${counted(images, 'picture')} and ${counted(captions, 'caption')}`;
  if (isTakenOut && images + captions + failures > 0)
    return [`Took out what the source no longer lists: ${items}, ${counted(failures, 'failure')} of them.`];
  if (images + captions === 0)
    return dryRun ? ['Nothing would go: the source lists all that is stored of it.'] : [];
  if (reader !== undefined)
    return [
      `No longer in the source: ${items}; they stay, because run ${reader} read it at the same time and may have met them. Run the same command again.`,
    ];
  if (dryRun) return [`Would take out what the source no longer lists: ${items}.`];
  return [`No longer in the source: ${items}${prune === false ? '; --prune takes them out' : ''}.`];
}
