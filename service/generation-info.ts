import type { ModelInfo } from '#model/model.ts';
import { openGenerationModel } from '#search/generation-model.ts';
import { findGeneration } from './generations.ts';
import type { IndexParts } from './index-parts.ts';

/** What the model of a generation is, read off its folder; nothing is loaded. */
export async function generationModel({ store, settings }: IndexParts, name: string): Promise<ModelInfo> {
  const record = await findGeneration(store, name);
  return openGenerationModel(record, { path: settings.model, index: store.uri });
}
