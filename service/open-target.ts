import { VlmoError } from '#errors.ts';
import { fingerprint } from '#model/fingerprint.ts';
import type { Model } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import type { GenerationRecord, Store } from '#store/contract.ts';
import type { TargetOptions } from './contract.ts';

interface Target {
  readonly model: Model;
  readonly record: GenerationRecord;
}

/** The generation of a collection that a source goes into, registered in the index where it is new. */
export async function openTarget(
  store: Store,
  { collection = 'default', model: named, preprocess = 'fast' }: TargetOptions,
): Promise<Target> {
  const model = await openEmbeddingModel(named ?? (await knownModel(store, collection)));
  const tables = await store.openGeneration({
    ...{ collection, preprocess, modelName: model.name, modelPath: model.path },
    fingerprint: await fingerprint(model, preprocess),
    dimensions: model.dimensions,
  });
  return { model, record: tables.record };
}

/** A model that pictures and captions can be indexed with. Throws MODEL_HEAD_MISSING, MODEL_INPUT_INVALID. */
export async function openEmbeddingModel(path: string): Promise<Model> {
  const model = await openModel(path);
  requireEmbedding(model);
  return model;
}

/** The model that the collection was indexed with. */
async function knownModel(store: Store, collection: string): Promise<string> {
  const record = await store.activeGeneration(collection);
  if (record) return record.modelPath;
  throw new VlmoError(
    'USAGE_INVALID',
    'Cannot index: expected --model FOLDER (or --model demo) for a new collection, received none',
  );
}

function requireEmbedding({ name, canEmbed, picture: { channels } }: Model): void {
  if (!canEmbed) {
    throw new VlmoError(
      'MODEL_HEAD_MISSING',
      `Cannot index with model "${name}": expected ITC heads, received a checkpoint without them`,
    );
  }
  if (channels !== 3 && channels !== 1) {
    throw new VlmoError(
      'MODEL_INPUT_INVALID',
      `Cannot index with model "${name}": expected pictures of 1 or 3 channels, received a model for ${channels}`,
    );
  }
}
