import { VlmoError } from '#errors.ts';
import type { Encoder } from '#model/encoder.ts';
import type { PictureInput, RunOptions } from '#model/runner.ts';
import type { GenerationTables } from '#store/contract.ts';
import { composeVector, type WeightedText, type WeightedVector } from './compose-query.ts';
import type { Search } from './request.ts';
import { findStored, type StoredName, storedName } from './stored-item.ts';

/** A query as texts and a picture that count by their weights. */
export interface QueryParts {
  readonly texts: readonly WeightedText[];
  readonly image: { readonly picture: PictureInput; readonly weight: number } | undefined;
}

/** What of a request says what is looked for. */
export type AskedParts = Pick<
  Search,
  'id' | 'source' | 'key' | 'text' | 'texts' | 'image' | 'imageWeight' | 'keys' | 'vector'
>;

export function partsOf({ text, texts, image, imageWeight: weight = 1 }: AskedParts): QueryParts {
  const given = texts ?? (text === undefined ? [] : [{ text, weight: 1 }]);
  return { texts: given, image: image === undefined ? undefined : { picture: image, weight } };
}

/**
 * The query's vector [D]. An id needs no model. Throws SEARCH_ITEM_NOT_FOUND for an id that is not stored, QUERY_INVALID
 * for parts that cancel each other out, and what reading the picture and running the model throw.
 */
export async function embedQuery(
  tables: GenerationTables,
  asked: AskedParts,
  encoder: () => Promise<Encoder>,
  options: RunOptions = {},
): Promise<Float32Array> {
  const name = storedName(asked);
  if (name !== undefined) return storedVector(tables, name);
  const { keys = [], vector } = asked;
  if (vector !== undefined) return unitVector(vector, tables.record.dimensions);
  const stored = await Promise.all(
    keys.map(async ({ key, weight }) => ({ vector: await storedVector(tables, { key }), weight })),
  );
  const parts = partsOf(asked);
  if (parts.texts.length === 0 && !parts.image) return composeVector(stored);
  return composeVector([...(await embedParts(await encoder(), parts, options)), ...stored]);
}

/** Throws QUERY_INVALID for another number of values, and where all are 0. */
function unitVector(values: readonly number[], dimensions: number): Float32Array {
  const length = Math.hypot(...values);
  if (values.length === dimensions && length > 0) return Float32Array.from(values, (value) => value / length);
  const received = values.length === dimensions ? 'a vector of zeros' : `${values.length} values`;
  throw new VlmoError(
    'QUERY_INVALID',
    `Cannot search by a vector: expected ${dimensions} values that are not all 0, received ${received}`,
  );
}

/** One text at a time, so that the same query has the same vector wherever it is asked. */
async function embedParts(
  encoder: Encoder,
  { texts, image }: QueryParts,
  options: RunOptions,
): Promise<WeightedVector[]> {
  const parts: Promise<WeightedVector>[] = texts.map(async ({ text, weight }) => ({
    vector: await encoder.embedTexts([text], options),
    weight,
  }));
  if (image)
    parts.push(embedPicture(encoder, image.picture, options).then((vector) => ({ vector, ...image })));
  return Promise.all(parts);
}

/** Throws what reading the picture throws. */
export async function embedPicture(
  encoder: Encoder,
  picture: PictureInput,
  options: RunOptions = {},
): Promise<Float32Array> {
  const [vector] = await encoder.embedPictures([picture], options);
  if (vector instanceof Float32Array) return vector;
  throw vector ?? new Error('No vector of a picture: this is a bug');
}

async function storedVector(tables: GenerationTables, name: StoredName): Promise<Float32Array> {
  const { kind, row } = await findStored(tables, name);
  const vector = await (kind === 'image' ? tables.images : tables.captions).vector(row.key);
  if (vector) return vector;
  throw new VlmoError('SEARCH_ITEM_NOT_FOUND', `Cannot search by "${row.id}": it was taken out just now`);
}
