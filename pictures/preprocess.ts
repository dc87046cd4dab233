import type { VlmoConfig } from '#model/vlmo/config.ts';
import { type Pixels, resizeBicubic } from './bicubic.ts';
import { type DecodeLimits, decodeResized, decodeWhole, type PictureInfo } from './decode.ts';

/**
 * From the bytes of a picture file to what PatchEmbed reads. The modes differ in the resize: `reference` is Pillow's
 * bicubic on the whole picture, bit for bit; `fast` lets the decoder and libvips shrink what is too large.
 */
export const PREPROCESS_MODES = ['reference', 'fast'] as const;
export type PreprocessMode = (typeof PREPROCESS_MODES)[number];

/** What a model wants of pictures. */
export type PictureSpec = Pick<VlmoConfig, 'image_size' | 'num_channels'>;

/**
 * Decodes, resizes without keeping the aspect ratio and normalises to -1 … 1, into `target` [C, H, W].
 * Throws IMAGE_INVALID, IMAGE_TOO_LARGE.
 */
export async function preprocess(
  bytes: Uint8Array,
  { image_size: size, num_channels: channels }: PictureSpec,
  mode: PreprocessMode,
  limits: DecodeLimits,
  target: Float32Array,
): Promise<PictureInfo> {
  const [height, width] = size;
  if (mode === 'fast') {
    const picture = await decodeResized(bytes, channels, limits, size);
    normalise(picture, target);
    return picture.info;
  }
  const picture = await decodeWhole(bytes, channels, limits, size);
  normalise(resizeBicubic(picture, width, height), target);
  return picture.info;
}

/** (v / 255 - 0.5) / 0.5 for every value a sample can have. */
const NORMALISED = Float32Array.from({ length: 256 }, (_, value) => (value / 255 - 0.5) / 0.5);

/** 8-bit pixels [H, W, C] to normalised planes [C, H, W]. */
export function normalise({ data, width, height, channels }: Pixels, target: Float32Array): void {
  const plane = width * height;
  for (let c = 0; c < channels; c++) {
    for (let i = 0, from = c; i < plane; i++, from += channels) {
      target[c * plane + i] = NORMALISED[data[from] as number] as number;
    }
  }
}
