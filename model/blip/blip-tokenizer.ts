import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import {
  createTextEncoder,
  type TextEncoder,
  TOKENIZER_FILE,
  tokenizerFromVocabulary,
} from '../tokenizer.ts';
import type { BlipConfig } from './config.ts';

export const VOCABULARY_FILE = 'vocab.txt';
/** As the original code reads captions for retrieval. */
const MAX_TOKENS = 35;

const tokenizerSchema = z.looseObject({
  model: z.looseObject({ vocab: z.record(z.string(), z.int().nonnegative()) }),
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string() })).default([]),
});

/** Most tokens of a text, [ENC] and [SEP] included. */
export function maxTokens({ text_config: { max_position_embeddings: places } }: BlipConfig): number {
  return Math.min(MAX_TOKENS, places);
}

/**
 * Texts to ids as the original code has them: bert-base-uncased's with [ENC] at place 0, where Hugging Face's class leaves
 * [CLS]. Throws MODEL_INVALID.
 */
export async function loadBlipTokenizer(folder: string, config: BlipConfig): Promise<TextEncoder> {
  const { path, json } = await readTokenizer(folder);
  const first = encId(path, json, config.text_config.vocab_size);
  const encoder = createTextEncoder(json, maxTokens(config));
  return {
    isCut: encoder.isCut,
    encode: (text) => [first, ...encoder.encode(text).slice(1)],
  };
}

/** The file of a folder that says how texts become ids. */
async function readTokenizer(
  folder: string,
): Promise<{ readonly path: string; readonly json: z.infer<typeof tokenizerSchema> }> {
  const path = join(folder, TOKENIZER_FILE);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return readVocabulary(join(folder, VOCABULARY_FILE));
  try {
    return { path, json: tokenizerSchema.parse(JSON.parse(text)) };
  } catch (error) {
    throw invalid(path, 'a WordPiece tokenizer', errorMessage(error), error);
  }
}

async function readVocabulary(path: string) {
  try {
    const json = tokenizerFromVocabulary(path, await readFile(path, 'utf8'));
    return { path, json: tokenizerSchema.parse(json) };
  } catch (error) {
    if (error instanceof VlmoError) throw invalid(path, 'a vocabulary of BERT', error.message, error);
    throw invalid(path, `${TOKENIZER_FILE} or ${VOCABULARY_FILE}`, errorMessage(error), error);
  }
}

/**
 * [ENC] by its name, or where a vocabulary is bert-base-uncased's own without it, the last word that the weights have: [DEC]
 * and [ENC] were added behind it.
 */
function encId(
  path: string,
  { model, added_tokens: added }: z.infer<typeof tokenizerSchema>,
  words: number,
): number {
  const named = model.vocab['[ENC]'] ?? added.find(({ content }) => content === '[ENC]')?.id;
  const known = Object.values(model.vocab).reduce((most, id) => Math.max(most, id), -1) + 1;
  const id = named ?? words - 1;
  if (id < words && known <= words && (named !== undefined || known < words)) return id;
  throw invalid(
    path,
    `[ENC], or at most ${words - 1} words beside the ${words} of the weights`,
    named === undefined ? `${known} words without it` : `[ENC] as id ${named} of ${known} words`,
  );
}

function invalid(path: string, expected: string, received: string, cause?: unknown): VlmoError {
  return new VlmoError(
    'MODEL_INVALID',
    `Cannot read tokenizer "${path}": expected ${expected}, received ${received}`,
    { cause },
  );
}
