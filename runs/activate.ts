import type { GenerationRecord, RunRecord, Store } from '#store/contract.ts';

/**
 * A new model serves from the moment a run of it is complete; until then the old one does. Returns the generation that
 * served until now, undefined where nothing has changed.
 */
export async function activateGeneration(
  store: Store,
  { collection, generation }: Pick<RunRecord, 'collection' | 'generation'>,
): Promise<GenerationRecord | undefined> {
  const before = await store.activeGeneration(collection);
  if (before?.name === generation) return undefined;
  const record = (await store.generations()).find(({ name }) => name === generation);
  if (record) await store.activate(record);
  return before;
}
