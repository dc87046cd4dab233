import { VlmoError } from '#errors.ts';
import { activeTables } from '#search/active-tables.ts';
import type { GenerationRecord, Store } from '#store/contract.ts';
import type { IndexParts } from './index-parts.ts';

/** The generation of a collection that is asked: the one that is named, or the one that serves. */
export async function chooseGeneration(
  store: Store,
  collection: string,
  name: string | undefined,
): Promise<GenerationRecord> {
  if (name === undefined) return (await activeTables(store, collection)).record;
  return findGeneration(store, name, collection);
}

/** Throws GENERATION_NOT_FOUND, which names those there are. */
export async function findGeneration(
  store: Store,
  name: string,
  collection?: string,
): Promise<GenerationRecord> {
  const all = (await store.generations()).filter((one) => (collection ?? one.collection) === one.collection);
  const found = all.find((record) => record.name === name);
  if (found) return found;
  const expected = all.map((record) => `"${record.name}"`).join(', ') || 'none';
  throw new VlmoError(
    'GENERATION_NOT_FOUND',
    `Cannot find generation "${name}": expected one of the ${collection === undefined ? 'index' : `collection "${collection}"`} (${expected}), received one that is not there`,
  );
}

export async function activateGeneration(store: Store, name: string): Promise<GenerationRecord> {
  const record = await findGeneration(store, name);
  await store.activate(record);
  return record;
}

export async function dropGeneration(
  { store, generations }: IndexParts,
  name: string,
): Promise<GenerationRecord> {
  const record = await findGeneration(store, name);
  const { runsUnderWay } = await import('./remove.ts');
  const serving = await store.activeGeneration(record.collection);
  if (serving?.name === name) throw busy(name, `it serves collection "${record.collection}"`);
  const runs = await runsUnderWay(store, record.collection);
  const working = runs.find(({ generation }) => generation === name);
  if (working) throw busy(name, `run ${working.id} works in it`);
  if (!(await generations.forget(record))) throw busy(name, 'a request is being answered by it');
  await store.drop(record);
  return record;
}

function busy(name: string, why: string): VlmoError {
  return new VlmoError('GENERATION_BUSY', `Cannot delete generation "${name}": ${why}`);
}
