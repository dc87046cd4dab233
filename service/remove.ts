import { removeItems } from '#runs/remove-items.ts';
import { RunWatch } from '#runs/run-watch.ts';
import { activeTables } from '#search/active-tables.ts';
import { parseRequest } from '#search/request.ts';
import type { RunRecord, Store } from '#store/contract.ts';
import type { CallOptions, Removed } from './contract.ts';
import type { IndexParts } from './index-parts.ts';
import { meantItems } from './meant-items.ts';
import { type RemoveRequest, removeRequestSchema } from './remove-request.ts';

/** Throws REQUEST_INVALID, COLLECTION_NOT_FOUND, FILTER_INVALID, ID_AMBIGUOUS. */
export async function removeFrom(
  { store }: IndexParts,
  asked: RemoveRequest,
  { signal }: CallOptions = {},
): Promise<Removed> {
  const request = parseRequest(removeRequestSchema, asked, 'remove items');
  const { collection } = request;
  await activeTables(store, collection);
  const meant = await meantItems(store, request);
  const activeRuns = await runsUnderWay(store, collection);
  const counts = await removeItems(store, { ...meant, collection, isDry: request.dryRun }, signal);
  return { ...counts, activeRuns };
}

/** Runs that may store again what is taken out. */
export async function runsUnderWay(store: Store, collection: string): Promise<RunRecord[]> {
  const watch = new RunWatch();
  const found: RunRecord[] = [];
  for await (const run of store.runs.scan({ state: 'running' }))
    if (run.collection === collection && !(await watch.hasEnded(store, run))) found.push(run);
  return found;
}
