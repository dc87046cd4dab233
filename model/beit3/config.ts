import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import { CONFIG_FILE } from '../model.ts';

const size = z.int().positive();

const beit3ConfigSchema = z
  .strictObject({
    model_type: z.literal('beit3'),
    image_size: size.max(8192),
    patch_size: size,
    num_channels: size.max(16),
    hidden_size: size,
    intermediate_size: size,
    num_hidden_layers: size.max(1000),
    num_attention_heads: size,
    vocab_size: size,
    /** Rows of the table of places, the two before the first included. */
    image_positions: size,
    text_positions: size,
    max_text_length: size.min(2),
    dtype: z.enum(['f32', 'f16']),
    weights_sha256: z.string(),
  })
  .refine(
    ({ hidden_size: width, num_attention_heads: heads }) => width % heads === 0,
    'a hidden_size that its heads divide',
  )
  .refine(
    (config) =>
      config.image_size % config.patch_size === 0 && config.image_positions >= pictureTokens(config) + 2,
    'places for all patches',
  )
  .refine((config) => config.text_positions >= config.max_text_length + 2, 'places for the longest text')
  .readonly();

export type Beit3Config = z.infer<typeof beit3ConfigSchema>;

/** What is known from the checkpoint's tensors. */
export type Beit3Sizes = Omit<Beit3Config, 'model_type' | 'dtype' | 'weights_sha256'>;

/** Throws MODEL_INVALID. */
export async function readBeit3Config(folder: string): Promise<Beit3Config> {
  const path = join(folder, CONFIG_FILE);
  try {
    return beit3ConfigSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot read model config "${path}": expected what "vlmo model import" wrote of a BEiT-3, received ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

/** Tokens of a picture: its patches, and one before them for the whole. */
export function pictureTokens(sizes: { readonly image_size: number; readonly patch_size: number }): number {
  return (sizes.image_size / sizes.patch_size) ** 2 + 1;
}
