import { VlmoError } from '#errors.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { type ModelFolder, openModelFolder } from '#model/folder.ts';
import { pictureTensor } from '#model/preprocess/picture-tensor.ts';
import { PREPROCESS_MODES, type PreprocessMode } from '#model/preprocess/preprocess.ts';
import { loadVlmo } from '#model/vlmo.ts';
import type { GenerationRecord, GenerationTables } from '#store/contract.ts';

/** What to search by. */
export type Query =
  | { readonly kind: 'text'; readonly text: string }
  /** The bytes of a picture file, and its name for messages. */
  | { readonly kind: 'image'; readonly bytes: Uint8Array; readonly name?: string }
  | { readonly kind: 'id'; readonly id: string };

export interface QueryOptions {
  /** Where the generation's model lies now, if not where it was when it indexed. */
  readonly modelPath?: string | undefined;
  readonly maxPixels: number;
}

/**
 * The query's vector [D], by the model and the preprocessing that made the generation. Throws SEARCH_MODEL_MISMATCH
 * for another model, SEARCH_ITEM_NOT_FOUND for an id that is not stored, and what decoding throws.
 */
export async function embedQuery(
  tables: GenerationTables,
  query: Query,
  options: QueryOptions,
): Promise<Float32Array> {
  if (query.kind === 'id') {
    if (options.modelPath !== undefined) await openGenerationModel(tables.record, options.modelPath);
    return storedVector(tables, query.id);
  }
  const model = await openGenerationModel(tables.record, options.modelPath ?? tables.record.modelPath);
  await using vlmo = await loadVlmo(model, { graphs: [query.kind] });
  if (query.kind === 'text') return (await vlmo.embedTexts([query.text])).data;
  const mode = preprocessMode(tables.record);
  const pixels = await pictureTensor(query.bytes, model.config, mode, options, query.name);
  return (await vlmo.embedImages(pixels)).data;
}

/** Opens a model folder and proves that it made this generation. */
export async function openGenerationModel(record: GenerationRecord, path: string): Promise<ModelFolder> {
  const model = await openModelFolder(path);
  if ((await fingerprint(model, preprocessMode(record))) === record.fingerprint) return model;
  throw new VlmoError(
    'SEARCH_MODEL_MISMATCH',
    `Cannot search collection "${record.collection}": expected its model "${record.modelName}" (${record.modelPath}), received "${model.name}" (${model.path}), whose vectors cannot be compared with it; index the collection with that model first`,
  );
}

function preprocessMode({ name, preprocess: mode }: GenerationRecord): PreprocessMode {
  const known = PREPROCESS_MODES.find((candidate) => candidate === mode);
  if (!known)
    throw new Error(`Generation "${name}" has preprocessing "${mode}", which is not known: this is a bug`);
  return known;
}

/** Pictures are looked for first: an id may name one of each kind. */
async function storedVector(
  { images, captions, record }: GenerationTables,
  id: string,
): Promise<Float32Array> {
  const vector = (await images.vector(id)) ?? (await captions.vector(id));
  if (vector) return vector;
  throw new VlmoError(
    'SEARCH_ITEM_NOT_FOUND',
    `Cannot search by id "${id}": expected an id stored in collection "${record.collection}", received one that is not`,
  );
}
