import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import { CONFIG_FILE } from '../model.ts';

const size = z.int().positive();
const epsilon = z.number().positive();
/** The exact GELU (erf), which all published weights have. */
const activation = z.literal('gelu').default('gelu');

/** A side with what Hugging Face's class takes where a config says nothing. */
const visionSchema = z
  .object({
    hidden_size: size.default(768),
    intermediate_size: size.default(3072),
    num_hidden_layers: size.default(12),
    num_attention_heads: size.default(12),
    num_channels: size.default(3),
    image_size: size.default(384),
    patch_size: size.default(16),
    layer_norm_eps: epsilon.default(1e-5),
    hidden_act: activation,
  })
  .refine(
    ({ hidden_size: width, num_attention_heads: heads }) => width % heads === 0,
    'a hidden_size that its heads divide',
  )
  .refine(({ image_size: side, patch_size: patch }) => side >= patch, 'an image_size of a patch at least')
  .readonly();

const textSchema = z
  .object({
    vocab_size: size.default(30_524),
    hidden_size: size.default(768),
    encoder_hidden_size: size.default(768),
    intermediate_size: size.default(3072),
    num_hidden_layers: size.default(12),
    num_attention_heads: size.default(8),
    max_position_embeddings: size.min(4).default(512),
    layer_norm_eps: epsilon.default(1e-12),
    hidden_act: activation,
  })
  .refine(
    ({ hidden_size: width, num_attention_heads: heads }) => width % heads === 0,
    'a hidden_size that its heads divide',
  )
  .readonly();

const blipConfigSchema = z
  .object({
    model_type: z.literal('blip'),
    text_config: textSchema.prefault({}),
    vision_config: visionSchema.prefault({}),
  })
  .refine(
    ({ text_config: text, vision_config: vision }) => text.encoder_hidden_size === vision.hidden_size,
    'an encoder_hidden_size of texts that is the hidden_size of pictures',
  )
  .readonly();

export type BlipConfig = z.infer<typeof blipConfigSchema>;

/** What `config.json` of `BlipForImageTextRetrieval` says. Throws MODEL_INVALID. */
export async function readBlipConfig(folder: string): Promise<BlipConfig> {
  const path = join(folder, CONFIG_FILE);
  try {
    return blipConfigSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot read model config "${path}": expected what Hugging Face's library writes of a BLIP, received ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

/** Tokens of a picture: its patches, and one before them for the whole. */
export function tokensOfPicture({
  vision_config: { image_size: side, patch_size: patch },
}: BlipConfig): number {
  return Math.floor(side / patch) ** 2 + 1;
}
