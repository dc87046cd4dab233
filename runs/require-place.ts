import { VlmoError } from '#errors.ts';
import type { RunRecord, Store } from '#store/contract.ts';
import { isFailedSource } from './failed-source.ts';

/**
 * Holds that a source still lies where it was when it was last read: two places under one name would take each other's
 * items. Throws SOURCE_MOVED, which says how to go on.
 */
export async function requirePlace(store: Store, name: string, place: string): Promise<void> {
  const last = await lastRunOf(store, name);
  if (!last || last.place === place) return;
  throw new VlmoError(
    'SOURCE_MOVED',
    `Cannot index "${place}" as source "${name}": the index knows it from "${last.place}"; if it has moved, say --source-moved, if it is another one, name it with --source`,
  );
}

async function lastRunOf(store: Store, name: string): Promise<RunRecord | undefined> {
  let last: RunRecord | undefined;
  for await (const run of store.runs.scan()) {
    if (run.source !== name || isFailedSource(run.source)) continue;
    if (!last || (run.number ?? 0) >= (last.number ?? 0)) last = run;
  }
  return last;
}
