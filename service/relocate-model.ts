import { VlmoError } from '#errors.ts';
import { storedPlace } from '#model/bundled.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { openModel } from '#model/open-model.ts';
import { preprocessMode } from '#search/generation-model.ts';
import type { GenerationRecord } from '#store/contract.ts';
import type { IndexParts } from './index-parts.ts';

/**
 * Writes down where the model of an index lies now, for all generations that it made, and gives those. Throws
 * SEARCH_MODEL_MISMATCH where it made none.
 */
export async function relocateModel(
  { store }: IndexParts,
  folder: string,
): Promise<readonly GenerationRecord[]> {
  const model = await openModel(folder);
  const generations = await store.generations();
  const moved: GenerationRecord[] = [];
  for (const record of generations) {
    if ((await fingerprint(model, preprocessMode(record))) !== record.fingerprint) continue;
    const place = { modelName: model.name, modelPath: storedPlace(model.path) };
    moved.push((await store.openGeneration({ ...record, ...place })).record);
  }
  if (moved.length > 0) return moved;
  const expected = generations.map(describe).join(', ') || 'a generation to relocate';
  const received = `"${model.name}" (${model.path}), ${(await fingerprint(model, 'fast')).slice(0, 12)} with fast preprocessing`;
  throw new VlmoError(
    'SEARCH_MODEL_MISMATCH',
    `Cannot relocate the model of "${store.uri}": expected ${expected}, received ${received}`,
  );
}

function describe({ collection, fingerprint: digest, modelName, preprocess }: GenerationRecord): string {
  return `"${modelName}", ${digest.slice(0, 12)} with ${preprocess} preprocessing (collection "${collection}")`;
}
