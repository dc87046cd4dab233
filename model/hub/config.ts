import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import { CONFIG_FILE } from '../model.ts';

/** Families of dual encoders that Hugging Face's library has, and what its classes take where a config says nothing. */
export const HUB_FAMILIES = {
  clip: { maxTokens: 77, patch: 32 },
  siglip: { maxTokens: 64, patch: 16 },
} as const;
export type HubFamily = keyof typeof HUB_FAMILIES;

const size = z.int().positive();

const towerSchema = z
  .object({
    hidden_size: size.default(768),
    intermediate_size: size.default(3072),
    num_hidden_layers: size.default(12),
    num_attention_heads: size.default(12),
    patch_size: size.optional(),
    max_position_embeddings: size.optional(),
    pad_token_id: z.int().nonnegative().nullish(),
  })
  .readonly();

const hubConfigSchema = z.object({
  model_type: z.enum(Object.keys(HUB_FAMILIES) as [HubFamily, ...HubFamily[]]),
  text_config: towerSchema.prefault({}),
  vision_config: towerSchema.prefault({}),
});
export type HubConfig = z.infer<typeof hubConfigSchema>;

/** What `config.json` says of a model. Throws MODEL_INVALID. */
export async function readHubConfig(folder: string): Promise<HubConfig> {
  const path = join(folder, CONFIG_FILE);
  try {
    return hubConfigSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot read model config "${path}": expected what Hugging Face's library writes, received ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

/** Multiplications of one picture, and bytes of its largest values between two layers, as a plain transformer has them. */
export function pictureCosts(
  { model_type: family, vision_config: vision }: HubConfig,
  [height, width]: readonly [number, number],
): { readonly macsPerPicture: number; readonly activationBytes: number } {
  const {
    hidden_size: d,
    intermediate_size: f,
    num_hidden_layers: layers,
    num_attention_heads: heads,
  } = vision;
  const patch = vision.patch_size ?? HUB_FAMILIES[family].patch;
  const n = Math.max(1, Math.floor(height / patch)) * Math.max(1, Math.floor(width / patch)) + 1;
  return {
    macsPerPicture: layers * (4 * n * d * d + 2 * n * n * d + 2 * n * d * f),
    activationBytes: Float32Array.BYTES_PER_ELEMENT * Math.max(n * f, heads * n * n),
  };
}
