import { VlmoError } from '#errors.ts';
import { RunWatch } from '#runs/run-watch.ts';
import type { Store } from '#store/contract.ts';
import { type CopiedIndex, type CopyProgress, copyIndex } from '#store/lance/copy-index.ts';
import { openStore } from '#store/lance/open-store.ts';
import type { ProgressOptions } from './contract.ts';

export interface CopyOptions extends ProgressOptions<CopyProgress> {
  /** Gives the copy an id of its own, and so a queue of its own. Default false: it is the same index. */
  readonly newId?: boolean | undefined;
}

/**
 * Copies an index into another folder, verified; the same call goes on where one was stopped or killed. Throws INDEX_BUSY
 * while a run or a renaming is under way, and what `copyIndex` of the store throws.
 */
export async function copyIndexTo(
  from: string,
  to: string,
  { newId = false, signal = new AbortController().signal, onStart }: CopyOptions = {},
): Promise<CopiedIndex> {
  await using store = await openStore(from, { create: false });
  const watch = new RunWatch();
  await requireIdle(store, watch);
  return await copyIndex({
    ...{ from, to, newId, signal },
    // Nothing had begun before the versions were read, nor has since: they belong together.
    onVersions: () => requireIdle(store, watch),
    onProgress: (ask) => onStart?.(ask),
  });
}

async function requireIdle(store: Store, watch: RunWatch): Promise<void> {
  if (await store.pendingRename()) throw busy(store, 'a source is being renamed');
  for await (const run of store.runs.scan({ state: 'running' }))
    if (!(await watch.hasEnded(store, run))) throw busy(store, `run ${run.id} is under way`);
}

function busy({ uri }: Store, why: string): VlmoError {
  return new VlmoError('INDEX_BUSY', `Cannot copy index "${uri}": ${why}`);
}
