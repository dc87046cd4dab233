import { ERROR_CODES, type ErrorData } from '#errors.ts';
import { type Named, named } from '#pipeline/named-item.ts';
import type { Item } from '#sources/item.ts';
import type {
  ChunkRecord,
  ChunkResult,
  FailureRecord,
  ItemKind,
  KindCount,
  RunRecord,
  Store,
} from '#store/contract.ts';

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
  const { items: given } = JSON.parse(chunk.data) as { readonly items: readonly Item[] };
  const items = given.map((item) => named(item, item.source ?? run.source));
  const stored = await storedBy(store, run, items);
  const failed = items.filter(({ key }) => !stored.has(key));
  await list(store, run, failed, reason);
  const counts = { stored: items.length - failed.length, skipped: 0, failed: failed.length };
  const kinds = { images: countOf('image'), captions: countOf('caption') };
  const result = { run: run.id, chunk: chunk.id, ...counts, kinds, at: new Date() };
  await store.ledger.settle([result]);
  return result;

  function countOf(kind: ItemKind): KindCount {
    const [all, of] = [items, failed].map((some) => some.filter(({ item }) => item.kind === kind).length);
    return { stored: (all ?? 0) - (of ?? 0), skipped: 0, failed: of ?? 0 };
  }
}

/** What is in the store, and by this run. */
async function storedBy(store: Store, run: RunRecord, items: readonly Named[]): Promise<Set<string>> {
  const generation = (await store.generations()).find(({ name }) => name === run.generation);
  if (!generation) return new Set();
  const { images, captions } = await store.tables(generation);
  const keys = items.map(({ key }) => key);
  const rows = [...(await images.find(keys)).values(), ...(await captions.find(keys)).values()];
  return new Set(rows.filter((row) => row.run === run.id).map(({ key }) => key));
}

async function list(
  store: Store,
  { id: run, number, collection }: RunRecord,
  items: readonly Named[],
  { code, message }: ErrorData,
): Promise<void> {
  const known = await store.failures.find(
    collection,
    items.map(({ key }) => key),
  );
  const attempts = new Map(known.map(({ key, attempts }) => [key, attempts]));
  const { retriable } = ERROR_CODES[code];
  const records = new Map<string, FailureRecord>();
  for (const { item, source, key } of items) {
    const { kind, id, uri } = item;
    records.set(key, {
      ...{ collection, key, source, kind, id, uri, code, message, retriable, sha256: null, stamp: null },
      item: JSON.stringify({ ...item, source }),
      ...{ attempts: (attempts.get(key) ?? 0) + 1, failedAt: new Date(), run, runNumber: number },
    });
  }
  await store.failures.upsert([...records.values()]);
}
