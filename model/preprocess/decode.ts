import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { errorMessage, VlmoError } from '#errors.ts';
import type { Pixels } from './bicubic.ts';

// One picture is one libvips thread: the pool's workers are the parallelism. Nothing is ever decoded twice.
sharp.concurrency(1);
sharp.cache(false);

export interface DecodeLimits {
  /** Most pixels of a picture; more is refused before it is decoded. */
  readonly maxPixels: number;
}

/** What a picture is, as it is seen (turned as its EXIF orientation says). */
export interface PictureInfo {
  readonly width: number;
  readonly height: number;
  /** `jpeg`, `png`, `webp`, `gif`, `tiff`, `svg`, `heif` (AVIF) … */
  readonly format: string;
}

export interface Picture extends Pixels {
  readonly info: PictureInfo;
}

/** Seconds after which a picture that keeps the decoder busy is given up. */
const TIMEOUT_SECONDS = 60;
/** Vector drawings have no pixels of their own: they are drawn at the size the model wants, from this density up. */
const SVG_DENSITY = 72;
const MAX_SVG_DENSITY = 2400;
const FORMATS = 'a JPEG, PNG, WebP, GIF, TIFF, AVIF or SVG picture';

/**
 * Decodes a picture whole, in its stored sample values, as the model was trained: first frame, alpha on white, turned
 * by EXIF, colour profiles ignored (CMYK apart, which means nothing without one). [h, w, C].
 */
export async function decodeWhole(
  bytes: Uint8Array,
  channels: number,
  limits: DecodeLimits,
  target: readonly [number, number],
): Promise<Picture> {
  return named(bytes, async () => {
    const { info, space } = await readInfo(bytes, limits);
    const image = open(bytes, limits, { ignoreIcc: space !== 'cmyk', ...svgDensity(info, target) });
    return { ...(await toPixels(image, channels)), info };
  });
}

/** Decodes and resizes in one go: JPEGs are shrunk inside the decoder, colours managed. [height, width, C]. */
export async function decodeResized(
  bytes: Uint8Array,
  channels: number,
  limits: DecodeLimits,
  target: readonly [number, number],
): Promise<Picture> {
  return named(bytes, async () => {
    const { info } = await readInfo(bytes, limits);
    const image = open(bytes, limits, svgDensity(info, target));
    image.resize({ height: target[0], width: target[1], fit: 'fill', kernel: 'cubic' });
    return { ...(await toPixels(image, channels)), info };
  });
}

function open(bytes: Uint8Array, { maxPixels }: DecodeLimits, options: SharpOptions): Sharp {
  const image = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', ...options });
  return image.autoOrient().timeout({ seconds: TIMEOUT_SECONDS });
}

async function readInfo(
  bytes: Uint8Array,
  { maxPixels }: DecodeLimits,
): Promise<{ info: PictureInfo; space: string | undefined }> {
  if (bytes.length === 0) throw new Error('it is empty');
  const { width, height, format, space, autoOrient } = await sharp(bytes, {
    limitInputPixels: false,
  }).metadata();
  if (width * height > maxPixels) {
    throw new VlmoError(
      'IMAGE_TOO_LARGE',
      `Cannot decode image: expected at most ${maxPixels} pixels, received ${width} x ${height} (--max-pixels sets the limit)`,
    );
  }
  return { info: { width: autoOrient.width, height: autoOrient.height, format }, space };
}

function svgDensity(
  { format, width, height }: PictureInfo,
  [targetHeight, targetWidth]: readonly [number, number],
): SharpOptions {
  if (format !== 'svg') return {};
  const scale = Math.max(targetHeight / height, targetWidth / width, 1);
  return { density: Math.min(MAX_SVG_DENSITY, Math.ceil(SVG_DENSITY * scale)) };
}

async function toPixels(image: Sharp, channels: number): Promise<Pixels> {
  const { data, info } = await image
    .flatten({ background: '#ffffff' })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== channels)
    throw new Error(`it decodes to ${info.channels} channels where the model wants ${channels}`);
  return { data, width: info.width, height: info.height, channels };
}

/** Says what a person can act on when libvips gives up. */
async function named(bytes: Uint8Array, decode: () => Promise<Picture>): Promise<Picture> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof VlmoError) throw error;
    const reason = errorMessage(error).trim().split('\n')[0] ?? '';
    throw new VlmoError(
      'IMAGE_INVALID',
      `Cannot decode image: expected ${FORMATS}, received ${bytes.length} bytes that are not one or are damaged (${reason})`,
      { cause: error },
    );
  }
}
