import { VlmoError } from '#errors.ts';
import type { RunRecord, SourceRename, Store } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import { RunWatch } from './run-watch.ts';

/**
 * Gives a source another name, in all collections and generations; killed, the same call goes on, or the next run does it.
 * Throws SOURCE_UNKNOWN, SOURCE_TAKEN, and SOURCE_BUSY while a run over it is under way.
 */
export async function renameSource(store: Store, { from, to }: SourceRename): Promise<void> {
  const pending = await store.pendingRename();
  if (pending) await store.renameSource(pending);
  if (pending?.from === from && pending.to === to) return;
  const refuse = (code: 'SOURCE_UNKNOWN' | 'SOURCE_TAKEN' | 'SOURCE_BUSY', reason: string): VlmoError =>
    new VlmoError(code, `Cannot rename source "${from}" to "${to}": ${reason}`);
  if (!(await hasRuns(store, from)) && !(await hasItems(store, from)))
    throw refuse('SOURCE_UNKNOWN', 'the index has no source of the first name; "vlmo sources" lists them');
  if (from === to || (await hasItems(store, to)))
    throw refuse('SOURCE_TAKEN', 'the index has a source of the second name already');
  const run = (await runOver(store, from)) ?? (await runOver(store, to));
  if (run)
    throw refuse(
      'SOURCE_BUSY',
      `run ${run.id} over "${run.source}" is under way; try again when it has ended`,
    );
  await store.renameSource({ from, to });
}

async function hasRuns(store: Store, name: string): Promise<boolean> {
  for await (const { source } of store.runs.scan()) if (source === name) return true;
  return false;
}

/** Whether anything that came from it is there. */
async function hasItems(store: Store, name: string): Promise<boolean> {
  const where = anyOf('source', [name]);
  for (const record of await store.generations()) {
    const { images, captions } = await store.tables(record);
    if ((await images.count(where)) + (await captions.count(where)) > 0) return true;
  }
  for await (const { source } of store.failures.scan()) if (source === name) return true;
  return false;
}

/** A run that writes items of this source, or captions of its pictures. */
async function runOver(store: Store, name: string): Promise<RunRecord | undefined> {
  const watch = new RunWatch();
  for await (const run of store.runs.scan({ state: 'running' })) {
    const { imagesOf } = JSON.parse(run.options) as { readonly imagesOf?: unknown };
    if ((run.source === name || imagesOf === name) && !(await watch.hasEnded(store, run))) return run;
  }
  return undefined;
}
