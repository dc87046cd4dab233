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
 * Throws IMAGE_INVALID, IMAGE_TOO_LARGE, ITEM_TIMEOUT.
 */
export async function preprocess(
  bytes: Uint8Array,
  spec: PictureSpec,
  mode: PreprocessMode,
  limits: DecodeLimits,
  target: Float32Array,
): Promise<PictureInfo> {
  const samples = new Uint8Array(target.length);
  const info = await decodeSamples(bytes, spec, mode, limits, samples);
  normalise(samples, target);
  return info;
}

/** As `preprocess`, but for the last step: samples of 8 bits, [C, H, W], a quarter of the bytes to hand on. */
export async function decodeSamples(
  bytes: Uint8Array,
  { image_size: size, num_channels: channels }: PictureSpec,
  mode: PreprocessMode,
  limits: DecodeLimits,
  target: Uint8Array,
): Promise<PictureInfo> {
  const [height, width] = size;
  if (mode === 'fast') {
    const picture = await decodeResized(bytes, channels, limits, size);
    toPlanes(picture, target);
    return picture.info;
  }
  const picture = await decodeWhole(bytes, channels, limits, size);
  toPlanes(resizeBicubic(picture, width, height), target);
  return picture.info;
}

/** Pixels [H, W, C] to planes [C, H, W]. */
function toPlanes({ data, width, height, channels }: Pixels, target: Uint8Array): void {
  const plane = width * height;
  for (let c = 0; c < channels; c++) {
    for (let i = 0, from = c; i < plane; i++, from += channels) {
      target[c * plane + i] = data[from] as number;
    }
  }
}

/** (v / 255 - 0.5) / 0.5 for every value a sample can have. */
const NORMALISED = Float32Array.from({ length: 256 }, (_, value) => (value / 255 - 0.5) / 0.5);

/** Samples of 8 bits to what PatchEmbed reads, value by value. */
export function normalise(samples: Uint8Array, target: Float32Array): void {
  for (let i = 0; i < samples.length; i++) target[i] = NORMALISED[samples[i] as number] as number;
}
