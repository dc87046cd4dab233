import { VlmoError } from '#errors.ts';
import type { GenerationTables, Store } from '#store/contract.ts';

/** The tables of the generation that serves a collection. Throws COLLECTION_NOT_FOUND, which names those there are. */
export async function activeTables(store: Store, collection: string): Promise<GenerationTables> {
  const record = await store.activeGeneration(collection);
  if (record) return store.tables(record);
  const names = (await store.collections()).map((name) => `"${name}"`).join(', ') || 'none';
  throw new VlmoError(
    'COLLECTION_NOT_FOUND',
    `Cannot search collection "${collection}": expected one of the index (${names}), received one that is not there`,
  );
}
