import type { Provider } from '#devices/device.ts';
import { VlmoError } from '#errors.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import { type ModelFolder, openModelFolder } from '#model/vlmo/folder.ts';
import type { GraphKind } from '#model/vlmo/network.ts';
import { loadVlmo, type Vlmo } from '#model/vlmo/vlmo.ts';
import { samplesTensor } from '#pictures/picture-tensor.ts';
import { PREPROCESS_MODES, type PreprocessMode } from '#pictures/preprocess.ts';
import type { GenerationRecord, GenerationTables } from '#store/contract.ts';
import { decodeOne } from '#workers/decode/decode-one.ts';
import { createPreprocessPool, type PreprocessPool } from '#workers/decode/preprocess-pool.ts';
import { composeVector, type WeightedText, type WeightedVector } from './compose-query.ts';

/** What to search by. */
export type Query =
  | { readonly kind: 'text'; readonly text: string }
  | ({ readonly kind: 'image' } & QueryPicture)
  | { readonly kind: 'id'; readonly id: string }
  /** Several texts, a picture with texts; see `composeVector`. */
  | {
      readonly kind: 'composed';
      readonly texts: readonly WeightedText[];
      readonly image?: QueryPicture & { readonly weight: number };
    };

/** The bytes of a picture file, and its name for messages. */
export interface QueryPicture {
  readonly bytes: Uint8Array;
  readonly name?: string;
}

export interface QueryOptions extends QueryLimits {
  /** Where the generation's model lies now, if not where it was when it indexed. */
  readonly modelPath?: string | undefined;
  /** What computes, as `resolveDevice` found it; default the CPU. */
  readonly provider?: Provider | undefined;
}

/**
 * The query's vector [D], by the model and the preprocessing that made the generation. Throws SEARCH_MODEL_MISMATCH
 * for another model, SEARCH_ITEM_NOT_FOUND for an id that is not stored, QUERY_INVALID for parts that cancel each other out,
 * and what decoding throws.
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
  const parts = partsOf(query);
  const model = await openGenerationModel(tables.record, options.modelPath ?? tables.record.modelPath);
  // First, so that its process starts while the model is loaded.
  await using preprocess = parts.image && queryPreprocessor(model, preprocessMode(tables.record), options);
  await using vlmo = await loadVlmo(model, { graphs: graphsOf(parts), provider: options.provider ?? 'cpu' });
  return (await embedParts(vlmo, parts, preprocess)).vector;
}

/** What one picture of a query may cost. */
export interface QueryLimits {
  readonly maxPixels: number;
  /** Seconds; 60 where it is left out. */
  readonly timeoutSeconds?: number;
  readonly memoryMiB?: number;
}

/** Decodes what a query asks about. Most bytes of a file only count where pictures are read by their places. */
export function queryPreprocessor(
  { config: spec }: ModelFolder,
  mode: PreprocessMode,
  limits: QueryLimits & { readonly maxImageBytes?: number },
): PreprocessPool {
  const { maxPixels, timeoutSeconds = 60, memoryMiB = 512, maxImageBytes = 0 } = limits;
  return createPreprocessPool({ spec, mode, maxPixels, timeoutSeconds, memoryMiB, maxImageBytes }, 1);
}

export interface EmbeddedParts {
  readonly vector: Float32Array;
  /** The picture, decoded, where there is one: [C, H, W] of 8 bits. */
  readonly samples: Uint8Array | undefined;
}

/** The vector of a query [D] by a model that is loaded, and what decodes, where there is a picture. */
export async function embedParts(
  vlmo: Vlmo,
  { texts, image }: QueryParts,
  preprocess: PreprocessPool | undefined,
): Promise<EmbeddedParts> {
  const parts: WeightedVector[] = [];
  for (const { text, weight } of texts) {
    parts.push({ vector: (await vlmo.embedTexts([text])).data, weight });
  }
  if (!image) return { vector: composeVector(parts), samples: undefined };
  if (!preprocess) throw new Error('Nothing decodes the picture of a query: this is a bug');
  const pixels = new SharedArrayBuffer(pictureValues(vlmo.config));
  await decodeOne(preprocess, { uri: image.name ?? '', bytes: image.bytes }, pixels);
  const samples = new Uint8Array(pixels);
  const { data } = await vlmo.embedImages(samplesTensor(samples, vlmo.config));
  parts.push({ vector: data, weight: image.weight });
  return { vector: composeVector(parts), samples };
}

/** The graphs that embed the parts of a query. */
export function graphsOf({ texts, image }: QueryParts): GraphKind[] {
  return [...(texts.length > 0 ? ['text' as const] : []), ...(image ? ['image' as const] : [])];
}

/** A query as texts and a picture that count by their weights. */
export function partsOf(query: Exclude<Query, { readonly kind: 'id' }>): QueryParts {
  if (query.kind === 'composed') return query;
  if (query.kind === 'text') return { texts: [{ text: query.text, weight: 1 }] };
  return { texts: [], image: { ...query, weight: 1 } };
}

export type QueryParts = Omit<Extract<Query, { readonly kind: 'composed' }>, 'kind'>;

/** Opens a model folder and proves that it made this generation. */
export async function openGenerationModel(record: GenerationRecord, path: string): Promise<ModelFolder> {
  const model = await openModelFolder(path);
  if ((await fingerprint(model, preprocessMode(record))) === record.fingerprint) return model;
  throw new VlmoError(
    'SEARCH_MODEL_MISMATCH',
    `Cannot search collection "${record.collection}": expected its model "${record.modelName}" (${record.modelPath}), received "${model.name}" (${model.path}), whose vectors cannot be compared with it; index the collection with that model first`,
  );
}

/** The preprocessing that made a generation. */
export function preprocessMode({ name, preprocess: mode }: GenerationRecord): PreprocessMode {
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
