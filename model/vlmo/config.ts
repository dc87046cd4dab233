import { z } from 'zod';

const size = z.int().positive();
/** [height, width], or one number for both. */
const sides = z
  .union([z.tuple([size, size]), size.transform((side): [number, number] => [side, side])])
  .readonly();

/** What `config.json` of a model folder says: everything about a VLMo that its weights' shapes do not. */
export const vlmoConfigSchema = z
  .object({
    model_type: z.literal('vlmo'),
    /** A published variant (`variants.ts`) or `custom`. */
    variant: z.string(),
    /** Pictures, in pixels. */
    image_size: sides,
    /** Patches, in pixels. */
    patch_size: sides,
    num_channels: size,
    /** Width D of every token. */
    hidden_size: size,
    /** Width of the feed-forward layers, 4 D in the published models. */
    intermediate_size: size,
    num_hidden_layers: size,
    num_attention_heads: size,
    /** First block with a vl expert; the number of blocks where there is none. */
    vlffn_start: z.int().nonnegative(),
    vocab_size: size,
    /** Most token ids of a text, [CLS] and [SEP] included. */
    max_text_length: size,
    /** How the weights are stored. */
    dtype: z.enum(['f32', 'f16']),
    /** SHA-256 of `model.safetensors`: the identity of the weights. */
    weights_sha256: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .readonly();

export type VlmoConfig = z.infer<typeof vlmoConfigSchema>;

/** Rows and columns of patches of a picture. */
export function patchGrid({
  image_size: [h, w],
  patch_size: [ph, pw],
}: Pick<VlmoConfig, 'image_size' | 'patch_size'>): readonly [number, number] {
  return [Math.floor(h / ph), Math.floor(w / pw)];
}
