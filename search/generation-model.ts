import { VlmoError } from '#errors.ts';
import { isBundled, PACKAGE_VERSION, placeOf, sinceVersion, storedPlace } from '#model/bundled.ts';
import { fingerprint, foreignFingerprint } from '#model/fingerprint.ts';
import type { Model } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import { PREPROCESS_MODES, type PreprocessMode } from '#pictures/preprocess.ts';
import type { GenerationRecord } from '#store/contract.ts';

/**
 * Opens a model folder and proves that it made this generation. Of vectors that were computed elsewhere nobody can prove
 * it: there any model is taken that is named and makes vectors of their length. Throws MODEL_NOT_FOUND, MODEL_UNKNOWN,
 * SEARCH_MODEL_MISMATCH, or MODEL_CHANGED where the generation is of a model that was bundled once.
 */
export async function openGenerationModel(
  record: GenerationRecord,
  { path, index = 'INDEX' }: { readonly path?: string | undefined; readonly index?: string } = {},
): Promise<Model> {
  const model = await (path === undefined ? openStoredModel(record, index) : openModel(path));
  const received = await fingerprint(model, preprocessMode(record));
  if (received === record.fingerprint || isTaken(record, received, model)) return model;
  const isOwn = isBundled({ modelPath: storedPlace(model.path), fingerprint: received });
  if (isBundled(record) && isOwn) throw changed(record, received, index);
  if (isWithoutModel(record)) {
    throw new VlmoError(
      'SEARCH_MODEL_MISMATCH',
      `Cannot search collection "${record.collection}": expected a model whose vectors have ${record.dimensions} values, received "${model.name}" (${model.path}), whose have ${model.dimensions}`,
    );
  }
  throw new VlmoError(
    'SEARCH_MODEL_MISMATCH',
    `Cannot search collection "${record.collection}": expected its model "${record.modelName}" (${record.modelPath}), received "${model.name}" (${model.path}), whose vectors cannot be compared with it; index the collection with that model first`,
  );
}

/** Whether the vectors of a generation were computed elsewhere, by a model that nobody has named. */
export function isWithoutModel({ fingerprint: known, dimensions }: GenerationRecord): boolean {
  return known === foreignFingerprint(dimensions);
}

function isTaken(record: GenerationRecord, received: string, model: Model): boolean {
  if (isWithoutModel(record)) return model.dimensions === record.dimensions;
  return record.fingerprint === foreignFingerprint(record.dimensions, received);
}

async function openStoredModel(record: GenerationRecord, index: string): Promise<Model> {
  if (isWithoutModel(record)) {
    throw new VlmoError(
      'MODEL_UNKNOWN',
      `Cannot embed texts or pictures for collection "${record.collection}": its vectors were computed elsewhere; search by --id or --key, or name the model that made them: --model FOLDER, of ${record.dimensions} values`,
    );
  }
  const place = placeOf(record);
  try {
    return await openModel(place);
  } catch (error) {
    if (!(error instanceof VlmoError) || error.code !== 'MODEL_NOT_FOUND') throw error;
    const message = `Cannot open model "${place}" of collection "${record.collection}": there is no model folder any more; if it moved: vlmo model relocate FOLDER --index ${index}`;
    throw new VlmoError('MODEL_NOT_FOUND', message, { cause: error });
  }
}

function changed(
  { collection, fingerprint: expected }: GenerationRecord,
  received: string,
  index: string,
): VlmoError {
  const since = sinceVersion(expected);
  const maker =
    since === undefined ? 'a version that this one does not know' : `vlmo-pipeline ${since} and later`;
  return new VlmoError(
    'MODEL_CHANGED',
    `Cannot use collection "${collection}": expected the bundled model ${expected.slice(0, 12)} of ${maker}, received another, ${received.slice(0, 12)} of vlmo-pipeline ${PACKAGE_VERSION}, whose vectors cannot be compared; build the new generation from each source: vlmo index SOURCE --index ${index} --collection ${collection} --model demo`,
  );
}

/** The preprocessing that made a generation. The fingerprint holds it too: one that is not known made none that opens. */
export function preprocessMode({ name, preprocess: mode }: GenerationRecord): PreprocessMode {
  const known = PREPROCESS_MODES.find((candidate) => candidate === mode);
  if (known) return known;
  throw new Error(`Generation "${name}" has preprocessing "${mode}", which is not known: this is a bug`);
}
