import { VlmoError } from '#errors.ts';
import { activeTables } from '#search/active-tables.ts';
import { findStored } from '#search/stored-item.ts';
import type { CaptionRecord, CaptionTable, FailureRecord, Store } from '#store/contract.ts';
import type { FoundItem, ItemName } from './contract.ts';
import type { IndexParts } from './index-parts.ts';

/** One item of a collection, stored or listed as failed. */
export async function findItem(
  { store }: IndexParts,
  name: ItemName,
  collection = 'default',
): Promise<FoundItem> {
  const tables = await activeTables(store, collection);
  const stored = await findStored(tables, name).catch((error: unknown) => {
    if (error instanceof VlmoError && error.code === 'SEARCH_ITEM_NOT_FOUND') return undefined;
    throw error;
  });
  if (stored?.kind === 'image')
    return { ...stored, captions: await captionsOf(tables.captions, stored.row.key) };
  if (stored) return stored;
  const failure = await findFailure(store, name, collection);
  if (failure) return { kind: 'failed', failure };
  const asked = 'key' in name ? `key "${name.key}"` : `id "${name.id}"`;
  throw new VlmoError(
    'SEARCH_ITEM_NOT_FOUND',
    `Cannot find ${asked}: expected an item of collection "${collection}", received what it does not have`,
  );
}

async function captionsOf(captions: CaptionTable, imageKey: string): Promise<CaptionRecord[]> {
  const keys: string[] = [];
  for await (const key of captions.keysOfImages([imageKey])) keys.push(key);
  const found = await captions.find(keys);
  return [...found.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

async function findFailure(
  store: Store,
  name: ItemName,
  collection: string,
): Promise<FailureRecord | undefined> {
  if ('key' in name) return (await store.failures.find(collection, [name.key]))[0];
  for await (const failure of store.failures.scan(collection))
    if (failure.id === name.id && (name.source ?? failure.source) === failure.source) return failure;
  return undefined;
}
