import type { CommandConfig } from '#config/commands.ts';
import { VlmoError } from '#errors.ts';
import type { Removed } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import type { Call } from './call.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { counted, note, print, printJson } from './output.ts';
import { stopOnSignals } from './signals.ts';

type RemoveFlags = CommandConfig<'remove'>;

/** `vlmo remove`: takes items out of a collection, with their captions and failures. */
export async function runRemove(
  flags: RemoveFlags,
  _: readonly [],
  { origin }: Call<'remove'>,
): Promise<void> {
  assertTogether(flags);
  // What a variable or a file was once set to must not take anything out.
  for (const name of ['id', 'key', 'source', 'where', 'all'] as const) {
    if (flags[name] === undefined || flags[name] === false || origin(name) === 'flag') continue;
    throw new VlmoError(
      'USAGE_INVALID',
      `Cannot remove: expected --${name} on the command line, received it elsewhere`,
    );
  }
  const { index: folder, json, ...request } = flags;
  await using index = await openIndex(folder, { write: !flags.dryRun, note });
  using signals = stopOnSignals();
  const removed = await index.remove(request, { signal: signals.signal });
  for (const { id, source } of removed.activeRuns)
    note(
      `Run ${id} over "${source}" is under way in collection "${flags.collection}": what it has of these items it may store again.`,
    );
  if (json) printJson(toJson(removed, flags));
  else print(describe(removed, flags));
  process.exitCode = removed.isWhole ? EXIT_DONE : EXIT_INTERRUPTED;
}

function toJson(
  { images, captions, captionsOfImages, failures, isWhole, activeRuns }: Removed,
  { collection, dryRun }: RemoveFlags,
): object {
  return {
    collection,
    images,
    captions,
    captions_of_images: captionsOfImages,
    failures,
    dry_run: dryRun,
    state: isWhole ? 'complete' : 'interrupted',
    active_runs: activeRuns.map(({ id, source }) => ({ run: id, source })),
  };
}

function describe(removed: Removed, { collection, dryRun }: RemoveFlags): string {
  const { images, captions, captionsOfImages, failures, isWhole } = removed;
  const stopped = isWhole ? '' : 'Stopped. Run the same command again to go on.\n';
  if (images + captions + captionsOfImages + failures === 0 && isWhole)
    return `Nothing to remove: nothing in collection "${collection}" matches. "vlmo sources" lists its sources.`;
  const all = [
    counted(images, 'picture'),
    `${counted(captionsOfImages, 'caption')} of ${images === 1 ? 'it' : 'them'}`,
    counted(captions, 'other caption'),
    counted(failures, 'listed failure'),
  ];
  return `${stopped}${dryRun ? 'Would remove' : 'Removed'} ${all.join(', ')}.`;
}

function assertTogether({ id, key, source, where, all }: RemoveFlags): void {
  const isPart = where !== undefined || (source !== undefined && id === undefined);
  const given = [id !== undefined, key !== undefined, isPart, all].filter(Boolean).length;
  if (given === 1) return;
  throw new VlmoError(
    'USAGE_INVALID',
    `Cannot remove: expected --id ID, --key KEY, --source NAME with or without --where FILTER, --where FILTER, or --all, received ${given === 0 ? 'none' : 'several'}`,
  );
}
