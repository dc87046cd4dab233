import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A model and answers of `test/fixtures/models/make_models.py`: Hugging Face's own library, random weights. */
export const BLIP = fileURLToPath(new URL('../../fixtures/models/blip-itm', import.meta.url));
export const CLIP = fileURLToPath(new URL('../../fixtures/models/clip', import.meta.url));
export const IMAGES = fileURLToPath(new URL('../../fixtures/reference/vlmo-tiny/images', import.meta.url));

interface Expected {
  readonly texts: readonly string[];
  readonly images: readonly string[];
  readonly input_ids: readonly (readonly number[])[];
  readonly enc_token_id: number;
  readonly pairs: readonly ExpectedPair[];
  /** The first 8 values of the first token of each picture. */
  readonly image_tokens_first: readonly (readonly number[])[];
}

export interface ExpectedPair {
  readonly image: string;
  readonly text: string;
  /** With [ENC] at place 0, and as Hugging Face's class has it. */
  readonly itm_logits_original: readonly [number, number];
  readonly itm_logits_without_enc: readonly [number, number];
}

export const EXPECTED = JSON.parse(await readFile(join(BLIP, 'expected.json'), 'utf8')) as Expected;

export function expectedPair(image: string, text: string): ExpectedPair {
  const pair = EXPECTED.pairs.find((one) => one.image === image && one.text === text);
  if (!pair) throw new Error(`No answer for ${image} and "${text}"`);
  return pair;
}
