import { z } from 'zod';
import type { SearchRequest } from '#search/request.ts';
import { readPictureText } from '../../bodies/picture-body.ts';
import type { ServerParts } from '../../parts.ts';

const MAX_IDS = 10_000;
const unset = z.union([z.string(), z.null()]).optional();
const count = z.coerce.number().int().min(0).max(MAX_IDS);

/** As clip-front and the Python client send it: everything that is not asked for is null, "" or left out. */
export const knnSchema = z.object({
  text: unset,
  image: unset,
  image_url: unset,
  embedding_input: z.array(z.number()).nullish(),
  modality: z.enum(['image', 'text']).default('image'),
  num_images: count.default(40),
  num_result_ids: count.nullish(),
  indice_name: z.string().nullish(),
  deduplicate: z.boolean().nullish(),
  use_safety_model: z.boolean().nullish(),
  use_violence_detector: z.boolean().nullish(),
  use_mclip: z.boolean().nullish(),
  aesthetic_score: z.unknown().optional(),
  aesthetic_weight: z.unknown().optional(),
});
export const metadataSchema = z.object({
  ids: z.array(z.coerce.number().int()).max(MAX_IDS),
  indice_name: z.string().nullish(),
});

export type KnnBody = z.output<typeof knnSchema>;

/** What is looked for: the first of text, image, image_url and embedding_input that is set. */
export async function knnQuery(
  { text, image, image_url: url, embedding_input: vector }: KnnBody,
  parts: Pick<ServerParts, 'download'>,
  signal: AbortSignal,
): Promise<Pick<SearchRequest, 'text' | 'image' | 'vector'>> {
  if (text) return { text };
  if (image) return { image: await readPictureText(image, 'image', parts, signal) };
  if (url) return { image: await readPictureText(url, 'image_url', parts, signal) };
  return vector ? { vector } : {};
}

/** Switches that are on and that nothing is done about. */
export function ignoredSwitches(body: KnnBody): string[] {
  const switches = ['deduplicate', 'use_safety_model', 'use_violence_detector', 'use_mclip'] as const;
  return switches.filter((name) => body[name] === true);
}
