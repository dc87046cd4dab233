import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import type { Filter } from './resample.ts';

/** The file of a model folder that says what pictures are made into, as Hugging Face's image processors write it. */
export const PREPROCESSOR_FILE = 'preprocessor_config.json';

/** What a model wants of pictures. */
export interface PictureSpec {
  /** What a picture is resized to, [height, width]. */
  readonly size: readonly [number, number];
  /**
   * How it fits: `squash` takes `size` as it is, `shortest-edge` keeps the aspect ratio and makes the shortest edge as
   * long as the shortest of `size`, `pad` keeps it inside of `size` and fills the rest with the mean.
   */
  readonly fit: 'squash' | 'shortest-edge' | 'pad';
  /** The middle that is cut out then, [height, width]; null where nothing is. */
  readonly crop: readonly [number, number] | null;
  readonly resample: Filter;
  /** Of each channel: (value / 255 - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** 3 for RGB, 1 for grey. */
  readonly channels: number;
}

/** The spec of a model that takes pictures whole, squashed to its size by the bicubic filter, in -1 … 1. */
export function squashed(size: readonly [number, number], channels = 3): PictureSpec {
  const half = Array<number>(channels).fill(0.5);
  return { size, fit: 'squash', crop: null, resample: 'bicubic', mean: half, std: half, channels };
}

/** What comes out, [height, width]. */
export function pictureSize({ size, crop }: PictureSpec): readonly [number, number] {
  return crop ?? size;
}

/** Numbers in one preprocessed picture, [C, H, W]. */
export function pictureValues(spec: PictureSpec): number {
  const [height, width] = pictureSize(spec);
  return spec.channels * height * width;
}

const side = z.int().min(1).max(8192);
const sides = z.union([
  z
    .object({ height: side, width: side })
    .transform(({ height, width }) => ({ fit: 'squash' as const, height, width })),
  z
    .object({ shortest_edge: side })
    .transform(({ shortest_edge: edge }) => ({ fit: 'shortest-edge' as const, height: edge, width: edge })),
  side.transform((edge) => ({ fit: 'shortest-edge' as const, height: edge, width: edge })),
]);
const cropSides = z.union([
  z.object({ height: side, width: side }).transform(({ height, width }): [number, number] => [height, width]),
  side.transform((edge): [number, number] => [edge, edge]),
]);
const channelValues = z.array(z.number()).min(1).max(16).readonly();

const preprocessorSchema = z.object({
  size: sides,
  do_resize: z.literal(true).default(true),
  do_rescale: z.literal(true).default(true),
  rescale_factor: z
    .number()
    .refine((factor) => Math.abs(factor * 255 - 1) < 1e-6, '1 / 255')
    .default(1 / 255),
  do_normalize: z.boolean().default(true),
  do_pad: z.boolean().default(false),
  do_center_crop: z.boolean().default(false),
  crop_size: cropSides.optional(),
  resample: z.int().default(3),
  image_mean: channelValues.optional(),
  image_std: channelValues
    .refine((values) => values.every((value) => value > 0), 'numbers above 0')
    .optional(),
});

/** Pillow's numbers of its filters. */
const FILTERS: Readonly<Record<number, Filter>> = { 1: 'lanczos', 2: 'bilinear', 3: 'bicubic' };

/** Reads what a model folder says of pictures; undefined where it says nothing. Throws MODEL_INVALID. */
export async function readPictureSpec(folder: string): Promise<PictureSpec | undefined> {
  const path = join(folder, PREPROCESSOR_FILE);
  try {
    return parsePictureSpec(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot read "${path}": expected what an image processor of Hugging Face writes, received ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

/** Throws what zod throws, and where mean and deviation are of different channels. */
export function parsePictureSpec(json: unknown): PictureSpec {
  const config = preprocessorSchema.parse(json);
  const resample = FILTERS[config.resample];
  if (!resample) throw new Error(`resample ${config.resample}, where 1, 2 and 3 are known`);
  const [mean, std] = normalisationOf(config);
  if (mean.length !== std.length) throw new Error(`${mean.length} means and ${std.length} deviations`);
  const { fit, height, width } = config.size;
  const crop = config.do_center_crop ? (config.crop_size ?? ([height, width] as const)) : null;
  return {
    size: [height, width],
    fit: config.do_pad && fit === 'squash' ? 'pad' : fit,
    ...{ crop, resample, mean, std, channels: mean.length },
  };
}

/** A model that learned without normalisation (MobileCLIP) reads values / 255 as they are. */
function normalisationOf({
  do_normalize: isNormalised,
  image_mean: mean,
  image_std: std,
}: z.infer<typeof preprocessorSchema>): readonly [mean: readonly number[], std: readonly number[]] {
  if (!isNormalised) return [Array(mean?.length ?? 3).fill(0), Array(mean?.length ?? 3).fill(1)];
  if (mean && std) return [mean, std];
  throw new Error('no image_mean and image_std, where do_normalize asks for them');
}
