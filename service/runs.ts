import { VlmoError } from '#errors.ts';
import { completeRun } from '#runs/complete.ts';
import { type RunStatus, runStatus } from '#runs/status.ts';
import type { RunRecord, Store } from '#store/contract.ts';

/** All runs, oldest first, as they stand. */
export async function listRuns(store: Store, now?: Date): Promise<readonly RunStatus[]> {
  const records: RunRecord[] = [];
  for await (const record of store.runs.scan()) records.push(record);
  records.sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  const found: RunStatus[] = [];
  for (const record of records)
    found.push(await runStatus(store, (await completeRun(store, record.id)) ?? record, now));
  return found;
}

/** Throws RUN_NOT_FOUND. */
export async function findRun(store: Store, id: string, now?: Date): Promise<RunStatus> {
  const record = await completeRun(store, id);
  if (record) return runStatus(store, record, now);
  throw new VlmoError(
    'RUN_NOT_FOUND',
    `Cannot find run "${id}": expected the id of a run of this index, received one that it does not have; "vlmo status" lists them`,
  );
}
