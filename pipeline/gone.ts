import type { Source } from '#sources/item.ts';
import type { FailureRecord, GenerationTables, Store } from '#store/contract.ts';
import type { Planner } from './plan.ts';

/** Failures deleted at a time. */
const BATCH = 1000;

interface WholePass {
  readonly source: Source;
  readonly store: Store;
  readonly tables: GenerationTables;
}

/**
 * After a whole pass over a source: failures that earlier runs over it listed and that it did not meet again are gone.
 * A mended row or sidecar gives no item that could settle them, and neither does a picture that was deleted.
 */
export async function dropGone(
  { source, store, tables }: WholePass,
  planner: Planner,
  run: string,
): Promise<void> {
  if (!planner.hadFailures) return;
  const { collection } = tables.record;
  const earlier = new Set<string>();
  for await (const record of store.runs.scan()) {
    if (record.source === source.uri && record.collection === collection && record.id !== run)
      earlier.add(record.id);
  }
  const gone: FailureRecord[] = [];
  for await (const failure of store.failures.scan(collection)) {
    if (earlier.has(failure.run) && !planner.hasMet(failure)) gone.push(failure);
  }
  for (let i = 0; i < gone.length; i += BATCH) await store.failures.delete(gone.slice(i, i + BATCH));
}
