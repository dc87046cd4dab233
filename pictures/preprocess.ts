import { type DecodeLimits, decodeResized, decodeWhole, type PictureInfo } from './decode.ts';
import { framed, resizedSides } from './fit.ts';
import type { PictureSpec } from './picture-spec.ts';
import { type Pixels, resize } from './resample.ts';

/**
 * From the bytes of a picture file to what a model reads. The modes differ in the resize: `reference` is Pillow's filter on
 * the whole picture, bit for bit; `fast` lets the decoder and libvips shrink what is too large.
 */
export const PREPROCESS_MODES = ['reference', 'fast'] as const;
export type PreprocessMode = (typeof PREPROCESS_MODES)[number];

/**
 * Decodes, resizes and normalises as the model wants it, into `target` [C, H, W]. Throws IMAGE_INVALID, IMAGE_TOO_LARGE,
 * ITEM_TIMEOUT.
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
  normalise(samples, spec, target);
  return info;
}

/** As `preprocess`, but for the last step: samples of 8 bits, [C, H, W], a quarter of the bytes to hand on. */
export async function decodeSamples(
  bytes: Uint8Array,
  spec: PictureSpec,
  mode: PreprocessMode,
  limits: DecodeLimits,
  target: Uint8Array,
): Promise<PictureInfo> {
  const picture = await decode(bytes, spec, mode, limits);
  toPlanes(framed(picture, spec), target);
  return picture.info;
}

async function decode(
  bytes: Uint8Array,
  spec: PictureSpec,
  mode: PreprocessMode,
  limits: DecodeLimits,
): Promise<Pixels & { readonly info: PictureInfo }> {
  const { channels, resample, size } = spec;
  if (mode === 'fast')
    return decodeResized(bytes, channels, limits, (info) => resizedSides(spec, info), resample);
  const picture = await decodeWhole(bytes, channels, limits, size);
  const [height, width] = resizedSides(spec, picture);
  return { ...resize(picture, width, height, resample), info: picture.info };
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

/** Samples of 8 bits to what a model reads, of one picture or of many: [B, C, H, W], (value / 255 - mean) / std. */
export function normalise(
  samples: Uint8Array,
  { size, crop, mean, std, channels }: PictureSpec,
  target: Float32Array,
): void {
  const [height, width] = crop ?? size;
  const plane = height * width;
  for (let start = 0, c = 0; start < samples.length; start += plane, c = (c + 1) % channels) {
    const values = normalised(mean[c] ?? 0.5, std[c] ?? 0.5);
    for (let i = start; i < start + plane; i++) target[i] = values[samples[i] as number] as number;
  }
}

const tables = new Map<string, Float32Array>();

/** (v / 255 - mean) / std for every value a sample can have. */
function normalised(mean: number, std: number): Float32Array {
  const key = `${mean} ${std}`;
  const known = tables.get(key);
  if (known) return known;
  const made = Float32Array.from({ length: 256 }, (_, value) => (value / 255 - mean) / std);
  tables.set(key, made);
  return made;
}
