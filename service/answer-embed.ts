import type { Encoder } from '#model/encoder.ts';
import { activeTables } from '#search/active-tables.ts';
import { embedPicture } from '#search/query.ts';
import { type EmbedRequest, embedRequestSchema, parseRequest } from '#search/request.ts';
import type { CallOptions } from './contract.ts';
import type { IndexParts } from './index-parts.ts';

/** Embeds texts or a picture by the model of a collection. */
export async function answerEmbed(
  { store, generations }: IndexParts,
  asked: EmbedRequest,
  { signal }: CallOptions = {},
): Promise<readonly Float32Array[]> {
  const { collection, texts = [], image } = parseRequest(embedRequestSchema, asked, 'embed');
  signal?.throwIfAborted();
  const { record } = await activeTables(store, collection);
  return generations.use(record, async ({ encoder: load }) => {
    const encoder = await load();
    if (image !== undefined) return [await embedPicture(encoder, image, { signal })];
    return embedTexts(encoder, texts, { signal });
  });
}

export async function embedTexts(
  encoder: Encoder,
  texts: readonly string[],
  options: CallOptions,
): Promise<readonly Float32Array[]> {
  const vectors = await encoder.embedTexts(texts, options);
  const width = encoder.model.dimensions;
  return texts.map((_, i) => vectors.slice(i * width, (i + 1) * width));
}
