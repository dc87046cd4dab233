import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import { MAX_CHARACTERS, type TextEncoder, TOKENIZER_FILE } from '../tokenizer.ts';
import type { HubConfig } from './config.ts';
import { HUB_FAMILIES } from './config.ts';

const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';

/** How a family makes ids of texts, beside what `tokenizer.json` says. */
export interface TokenRules {
  /** Most tokens of a text. */
  readonly maxTokens: number;
  /** What rows are filled up with: SigLIP reads it as a token like any other. */
  readonly padId: number;
  /** Whether texts are lowered before: SigLIP 2 learned from such, and its tokenizer leaves case as it is. */
  readonly isLowered: boolean;
}

const token = z.union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)]);
const tokenizerConfigSchema = z.object({
  pad_token: token.nullish(),
  model_max_length: z.number().positive().nullish(),
});

/** What a folder's tokenizer is to be used with. Throws MODEL_INVALID. */
export async function readTokenRules(
  folder: string,
  { model_type: family, text_config: text }: HubConfig,
): Promise<TokenRules> {
  const own = await readConfig(folder);
  const tokenizer = await readTokenizer(folder);
  const named = own.pad_token == null ? undefined : tokenizer.token_to_id(own.pad_token);
  const padId = named ?? text.pad_token_id ?? (family === 'clip' ? 0 : 1);
  const places = text.max_position_embeddings ?? HUB_FAMILIES[family].maxTokens;
  return {
    maxTokens: Math.min(places, own.model_max_length ?? places),
    ...{ padId, isLowered: family === 'siglip' },
  };
}

/** The tokenizer of a folder. Throws MODEL_INVALID. */
export async function loadHubTokenizer(folder: string, rules: TokenRules): Promise<TextEncoder> {
  const tokenizer = await readTokenizer(folder);
  const { maxTokens, isLowered } = rules;
  const idsOf = (text: string): readonly number[] => {
    const some = text.slice(0, MAX_CHARACTERS);
    return tokenizer.encode(isLowered ? some.toLowerCase() : some).ids;
  };
  return {
    encode(text) {
      const ids = idsOf(text);
      // What ends a text is what the model's vector is taken from: it stays where a text is cut.
      return ids.length <= maxTokens ? [...ids] : [...ids.slice(0, maxTokens - 1), ids.at(-1) as number];
    },
    isCut: (text) => idsOf(text).length > maxTokens,
  };
}

async function readTokenizer(folder: string): Promise<Tokenizer> {
  const path = join(folder, TOKENIZER_FILE);
  try {
    return new Tokenizer(JSON.parse(await readFile(path, 'utf8')) as object, {});
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function readConfig(folder: string): Promise<z.infer<typeof tokenizerConfigSchema>> {
  const path = join(folder, TOKENIZER_CONFIG_FILE);
  if (!existsSync(path)) return {};
  try {
    return tokenizerConfigSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): VlmoError {
  return new VlmoError(
    'MODEL_INVALID',
    `Cannot read tokenizer "${path}": expected what Hugging Face's library writes, received ${errorMessage(error)}`,
    { cause: error },
  );
}
