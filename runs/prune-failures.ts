import type { Store } from '#store/contract.ts';

/**
 * After a whole pass over a source: failures that earlier runs over it listed and that it did not meet again are gone.
 * A mended row or sidecar gives no item that could settle them, and neither does a picture that was deleted. What the
 * pass did meet, it listed under its own run.
 */
export async function pruneFailures(
  store: Store,
  collection: string,
  { source, run }: { readonly source: string; readonly run: string },
): Promise<void> {
  if ((await store.failures.count(collection)) === 0) return;
  const earlier: string[] = [];
  for await (const record of store.runs.scan()) {
    if (record.source === source && record.collection === collection && record.id !== run)
      earlier.push(record.id);
  }
  if (earlier.length > 0) await store.failures.deleteOfRuns(collection, earlier);
}
