import { VlmoError } from '#errors.ts';
import { isBundled, PACKAGE_VERSION, placeOf, storedPlace } from '#model/bundled.ts';
import { fingerprint } from '#model/fingerprint.ts';
import type { Model } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import { isWithoutModel } from '#search/generation-model.ts';
import type { GenerationRecord, Store } from '#store/contract.ts';
import type { TargetOptions } from './contract.ts';

interface Target {
  readonly model: Model;
  readonly record: GenerationRecord;
}

/** The generation of a collection that a source goes into, registered in the index where it is new. */
export async function openTarget(
  { store, note }: { readonly store: Store; readonly note: (line: string) => void },
  { collection = 'default', model: named, preprocess = 'fast' }: TargetOptions,
): Promise<Target> {
  const served = await store.activeGeneration(collection);
  const model = await openEmbeddingModel(named ?? knownModel(served));
  const made = await fingerprint(model, preprocess);
  if (
    served &&
    isOtherBundled(served, { preprocess, fingerprint: made, modelPath: storedPlace(model.path) })
  ) {
    const text = `The bundled model of vlmo-pipeline ${PACKAGE_VERSION} is another one than that of collection "${collection}": a new generation is built, which serves once this run is complete; index every other source again too (vlmo sources).`;
    note(text);
  }
  const tables = await store.openGeneration({
    ...{ collection, preprocess, modelName: model.name, modelPath: storedPlace(model.path) },
    fingerprint: made,
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
function knownModel(served: GenerationRecord | undefined): string {
  if (served && !isWithoutModel(served)) return placeOf(served);
  throw new VlmoError(
    'USAGE_INVALID',
    'Cannot index: expected --model FOLDER (or --model demo) for a new collection, received none',
  );
}

/** Whether both are of bundled models, but not of the same one. */
function isOtherBundled(
  served: GenerationRecord,
  made: Pick<GenerationRecord, 'preprocess' | 'fingerprint' | 'modelPath'>,
): boolean {
  const areBundled = isBundled(served) && isBundled(made);
  return areBundled && served.preprocess === made.preprocess && served.fingerprint !== made.fingerprint;
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
