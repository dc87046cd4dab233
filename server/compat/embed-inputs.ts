import pMap from 'p-map';
import { composeVector } from '#search/compose-query.ts';
import { readPictureText } from '../bodies/picture-body.ts';
import type { ServerParts } from '../parts.ts';

/** What becomes one vector: texts and pictures, each as a client writes it. */
export type EmbedInput = readonly EmbedPart[];
export type EmbedPart = { readonly text: string } | { readonly image: string };

export interface Embedded {
  readonly vectors: readonly Float32Array[];
  /** Tokens of all texts. */
  readonly tokens: number;
}

const TEXTS_AT_ONCE = 64;
const PICTURES_AT_ONCE = 8;

/** A vector of unit length for each input; of several parts, that of their sum. Throws what `embed` and reading pictures throw. */
export async function embedInputs(
  inputs: readonly EmbedInput[],
  collection: string,
  parts: ServerParts,
  signal: AbortSignal,
): Promise<Embedded> {
  const { index } = parts;
  const texts = inputs.flatMap((input) => input.flatMap((part) => ('text' in part ? [part.text] : [])));
  const pictures = inputs.flatMap((input) => input.flatMap((part) => ('image' in part ? [part.image] : [])));
  const ofTexts: Float32Array[] = [];
  for (let at = 0; at < texts.length; at += TEXTS_AT_ONCE) {
    const some = texts.slice(at, at + TEXTS_AT_ONCE);
    ofTexts.push(...(await index.embed({ collection, texts: some }, { signal })));
  }
  const ofPictures = await pMap(
    pictures,
    async (said) => {
      const image = await readPictureText(said, 'input', parts, signal);
      const [vector] = await index.embed({ collection, image }, { signal });
      return vector ?? new Float32Array();
    },
    { concurrency: PICTURES_AT_ONCE },
  );
  const tokens = (await index.tokens(texts, collection)).reduce((sum, count) => sum + count, 0);
  let [text, picture] = [0, 0];
  const vectors = inputs.map((input) => {
    const found = input.map((part) => ('text' in part ? ofTexts[text++] : ofPictures[picture++]));
    return composeVector(found.map((vector) => ({ vector: vector ?? new Float32Array(), weight: 1 })));
  });
  return { vectors, tokens };
}

/** Float32, the least byte first, whatever machine this is. */
export function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, i * 4);
  return bytes.toString('base64');
}
