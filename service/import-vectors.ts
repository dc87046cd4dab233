import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { VlmoError } from '#errors.ts';
import { openVectorFolder, type VectorFolder } from '#exports/vector-folder.ts';
import { storedPlace } from '#model/bundled.ts';
import { fingerprint, foreignFingerprint } from '#model/fingerprint.ts';
import type { Model } from '#model/model.ts';
import { PREPROCESS_MODES } from '#pictures/preprocess.ts';
import { requirePlace } from '#runs/require-place.ts';
import type { GenerationSpec, Store } from '#store/contract.ts';
import type { ImportOptions, VectorsImported } from './contract.ts';
import type { IndexParts } from './index-parts.ts';
import { openEmbeddingModel } from './open-target.ts';
import { VectorImport } from './vector-import.ts';

const NEVER = new AbortController().signal;

/**
 * Stores vectors that were computed elsewhere, of a folder in clip-retrieval's layout. Every picture and caption is
 * stored, skipped because it is stored as it is, or listed as failed. Nothing is written where the files do not go together.
 */
export async function importVectors(
  { store, settings }: IndexParts,
  folder: string,
  options: ImportOptions = {},
): Promise<VectorsImported> {
  const { collection = 'default', sourceName, signal = NEVER } = options;
  const place = resolve(folder);
  const vectors = await openVectorFolder(place);
  const named = options.model ?? settings.model;
  const model = named === undefined ? undefined : await openEmbeddingModel(named);
  const spec = await toSpec(place, vectors, collection, model);
  await requireOwnGeneration(store, spec);
  await requirePlace(store, sourceName ?? place, place);
  const tables = await store.openGeneration(spec);
  return new VectorImport(store, tables, vectors, { ...options, folder: place, signal }).run();
}

/**
 * The generation of the vectors: that of the model which is named, where the folder says that it made them, one of vectors of
 * that model's by word alone, or one of no model. Throws SEARCH_MODEL_MISMATCH for a model of another length.
 */
async function toSpec(
  folder: string,
  { dimensions }: VectorFolder,
  collection: string,
  model: Model | undefined,
): Promise<GenerationSpec> {
  const known = { collection, dimensions, preprocess: 'fast' };
  if (!model)
    return { ...known, fingerprint: foreignFingerprint(dimensions), modelName: 'unknown', modelPath: '' };
  if (model.dimensions !== dimensions) {
    throw new VlmoError(
      'SEARCH_MODEL_MISMATCH',
      `Cannot import vectors from "${folder}" for model "${model.name}": expected ${model.dimensions} values, as it makes, received ${dimensions}`,
    );
  }
  const own = { ...known, modelName: model.name, modelPath: storedPlace(model.path) };
  const said = await madeBy(folder);
  for (const preprocess of PREPROCESS_MODES)
    if ((await fingerprint(model, preprocess)) === said) return { ...own, preprocess, fingerprint: said };
  return { ...own, fingerprint: foreignFingerprint(dimensions, await fingerprint(model, 'fast')) };
}

/** The fingerprint that an export of ours has written down. */
async function madeBy(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'export.json'), 'utf8').catch(() => '');
  return /"fingerprint": "([0-9a-f]{64})"/.exec(text)?.[1];
}

/** Vectors of two models never meet, and what serves is not replaced by what nobody can tell the model of. */
async function requireOwnGeneration(
  store: Store,
  { collection, fingerprint: made }: GenerationSpec,
): Promise<void> {
  const served = await store.activeGeneration(collection);
  if (!served || served.fingerprint === made) return;
  throw new VlmoError(
    'STORE_GENERATION_CONFLICT',
    `Cannot import vectors into collection "${collection}": it is served by vectors of model "${served.modelName}"; name another one with --collection`,
  );
}
