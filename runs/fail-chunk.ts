import { ERROR_CODES, type ErrorData } from '#errors.ts';
import type { Item } from '#sources/item.ts';
import type { ChunkRecord, ChunkResult, FailureRecord, RunRecord, Store } from '#store/contract.ts';

/**
 * Settles a chunk that can never be done: its items are listed as failed with the reason, but for those that an earlier
 * attempt of this run has stored. Any process may call this, any number of times. Returns what it has settled.
 */
export async function failChunk(
  store: Store,
  run: RunRecord,
  chunk: ChunkRecord,
  reason: ErrorData,
): Promise<ChunkResult> {
  const { items } = JSON.parse(chunk.data) as { readonly items: readonly Item[] };
  const stored = await storedBy(store, run, items);
  const failed = items.filter((item) => !stored.has(keyOf(item)));
  await list(store, run, failed, reason);
  const counts = { stored: items.length - failed.length, skipped: 0, failed: failed.length };
  const result = { run: run.id, chunk: chunk.id, ...counts, at: new Date() };
  await store.ledger.settle([result]);
  return result;
}

/** What is in the store, and by this run. */
async function storedBy(store: Store, run: RunRecord, items: readonly Item[]): Promise<Set<string>> {
  const generation = (await store.generations()).find(({ name }) => name === run.generation);
  if (!generation) return new Set();
  const { images, captions } = await store.tables(generation);
  const ids = (kind: Item['kind']): string[] =>
    items.filter((item) => item.kind === kind).map(({ id }) => id);
  const found = new Set<string>();
  for (const row of (await images.find(ids('image'))).values())
    if (row.run === run.id) found.add(keyOf({ kind: 'image', id: row.id }));
  for (const row of (await captions.find(ids('caption'))).values())
    if (row.run === run.id) found.add(keyOf({ kind: 'caption', id: row.id }));
  return found;
}

async function list(
  store: Store,
  { id: run, number, collection }: RunRecord,
  items: readonly Item[],
  { code, message }: ErrorData,
): Promise<void> {
  const known = await store.failures.find(
    collection,
    items.map(({ id }) => id),
  );
  const attempts = new Map(known.map((failure) => [keyOf(failure), failure.attempts]));
  const { retriable } = ERROR_CODES[code];
  const records = new Map<string, FailureRecord>();
  for (const item of items) {
    const { kind, id, uri } = item;
    records.set(keyOf(item), {
      ...{ collection, kind, id, uri, code, message, retriable, sha256: null, item: JSON.stringify(item) },
      ...{ attempts: (attempts.get(keyOf(item)) ?? 0) + 1, failedAt: new Date(), run, runNumber: number },
    });
  }
  await store.failures.upsert([...records.values()]);
}

function keyOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind} ${id}`;
}
