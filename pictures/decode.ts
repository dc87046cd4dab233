import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { errorMessage, VlmoError } from '#errors.ts';
import { cmykToRgb } from './cmyk.ts';
import { foreignFormat } from './foreign-format.ts';
import { partialFrame, whitenAround } from './gif-canvas.ts';
import { type Filter, type Pixels, resize } from './resample.ts';
import { type ExtraBand, extraBand } from './tiff-bands.ts';

// One picture is one libvips thread: the pool's workers are the parallelism. Nothing is ever decoded twice.
sharp.concurrency(1);
sharp.cache(false);

export interface DecodeLimits {
  /** Most pixels of a picture; more is refused before it is decoded. */
  readonly maxPixels: number;
  /** Seconds after which a picture that keeps the decoder busy is given up; 60 where it is left out. */
  readonly timeoutSeconds?: number;
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

const TIMEOUT_SECONDS = 60;
/** Vector drawings have no pixels of their own: they are drawn at the size the model wants, from this density up. */
const SVG_DENSITY = 72;
const MAX_SVG_DENSITY = 2400;
/** Rows beyond it take hundreds of MB by themselves, whatever the picture. */
const MAX_SIDE = 262_144;
/** The longest side that libvips draws. */
const MAX_SVG_SIDE = 32_767;
const FORMATS = 'a JPEG, PNG, WebP, GIF, TIFF, AVIF or SVG picture';

/**
 * Decodes a picture whole, in its stored sample values, as the model was trained: first frame, alpha on white, turned
 * by EXIF, colour profiles ignored, CMYK to RGB by Pillow's rule. [h, w, C].
 */
export async function decodeWhole(
  bytes: Uint8Array,
  channels: number,
  limits: DecodeLimits,
  target: readonly [number, number],
): Promise<Picture> {
  return named(bytes, limits, async () => {
    const { info, space, extra, isFloat } = await readInfo(bytes, limits);
    const image = open(bytes, limits, { ignoreIcc: true, ...svgDensity(info, limits, target) });
    if (space === 'cmyk' && channels === 3) {
      const inks = await toInks(image);
      return { ...cmykToRgb(inks, inks.channels === 5 && extra !== 'something else'), info };
    }
    if (isFloat) await toRange(bytes, image, { extra, space });
    return { ...(await toPixels(image, channels, { bytes, extra })), info };
  });
}

/** What libvips calls the filters of Pillow. */
const VIPS_KERNELS = { bilinear: 'linear', bicubic: 'cubic', lanczos: 'lanczos3' } as const;

/**
 * Decodes and shrinks in one go, to the sides that `toSides` gives: JPEGs inside the decoder, colours managed.
 * [height, width, C].
 */
export async function decodeResized(
  bytes: Uint8Array,
  channels: number,
  limits: DecodeLimits,
  toSides: (info: PictureInfo) => readonly [number, number],
  filter: Filter,
): Promise<Picture> {
  return named(bytes, limits, async () => {
    const { info, space, extra, isFloat } = await readInfo(bytes, limits);
    const target = toSides(info);
    const image = open(bytes, limits, svgDensity(info, limits, target));
    if (isFloat) await toRange(bytes, image, { extra, space });
    // libvips enlarges half a pixel off, and would draw a long and thin SVG larger than it can.
    const isSmall = info.width < target[1] || info.height < target[0];
    if (isSmall || info.format === 'svg' || partialFrame(bytes)) {
      const pixels = await toPixels(image, channels, { bytes, extra });
      return { ...resize(pixels, target[1], target[0], filter), info };
    }
    image.resize({ height: target[0], width: target[1], fit: 'fill', kernel: VIPS_KERNELS[filter] });
    return { ...(await toPixels(image, channels, { bytes, extra })), info };
  });
}

function open(
  bytes: Uint8Array,
  { maxPixels, timeoutSeconds: seconds = TIMEOUT_SECONDS }: DecodeLimits,
  options: SharpOptions,
): Sharp {
  const image = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', ...options });
  return image.autoOrient().timeout({ seconds });
}

async function readInfo(
  bytes: Uint8Array,
  { maxPixels }: DecodeLimits,
): Promise<{ info: PictureInfo; space: string | undefined; extra: ExtraBand; isFloat: boolean }> {
  const { width, height, format, space, autoOrient, depth } = await sharp(bytes, {
    limitInputPixels: false,
  }).metadata();
  if (Math.max(width, height) > MAX_SIDE && format !== 'svg') {
    throw new VlmoError(
      'IMAGE_TOO_LARGE',
      `Cannot decode image: expected sides of at most ${MAX_SIDE} pixels, received ${width} x ${height}`,
    );
  }
  if (width * height > maxPixels) {
    throw new VlmoError(
      'IMAGE_TOO_LARGE',
      `Cannot decode image: expected at most ${maxPixels} pixels, received ${width} x ${height} (--max-pixels sets the limit)`,
    );
  }
  const info = { width: autoOrient.width, height: autoOrient.height, format };
  const isTiff = format === 'tiff';
  const isFloat = isTiff && (depth === 'float' || depth === 'double');
  return { info, space, extra: isTiff ? extraBand(bytes) : 'none', isFloat };
}

/** So dense that the drawing is at least as large as the target, as far as limits and libvips allow. */
function svgDensity(
  { format, width, height }: PictureInfo,
  { maxPixels }: DecodeLimits,
  [targetHeight, targetWidth]: readonly [number, number],
): SharpOptions {
  if (format !== 'svg') return {};
  const wanted = Math.max(targetHeight / height, targetWidth / width, 1);
  const most = Math.min(MAX_SVG_SIDE / Math.max(width, height), Math.sqrt(maxPixels / (width * height)));
  // A whole number, rounded up where that cannot pass the limit.
  const density = wanted < most ? Math.ceil(SVG_DENSITY * wanted) : Math.floor(SVG_DENSITY * most);
  return { density: Math.max(1, Math.min(MAX_SVG_DENSITY, density)) };
}

/** What is known of a picture beside its samples. */
interface Known {
  readonly bytes: Uint8Array;
  readonly extra: ExtraBand;
}

async function toPixels(image: Sharp, channels: number, { bytes, extra }: Known): Promise<Pixels> {
  if (extra === 'something else') image.removeAlpha();
  else image.flatten({ background: '#ffffff' });
  const pixels = await toSamples(image.toColourspace(channels === 1 ? 'b-w' : 'srgb'));
  const frame = partialFrame(bytes);
  if (frame) whitenAround(pixels, frame);
  return requireChannels(extra === 'something else' ? firstBands(pixels, channels) : pixels, channels);
}

/**
 * Samples of floating point mean what their range says: 0 to 1 is black to white, and so is 0 to 255; anything else from
 * its least to its largest.
 */
async function toRange(
  bytes: Uint8Array,
  image: Sharp,
  { extra, space }: { readonly extra: ExtraBand; readonly space: string | undefined },
): Promise<void> {
  const { channels: bands } = await sharp(bytes, { limitInputPixels: false }).stats();
  const isExtra = extra !== 'none' && (bands.length === 2 || bands.length === 4);
  const colours = bands.slice(0, isExtra ? -1 : undefined);
  const least = Math.min(...colours.map(({ min }) => min));
  const most = Math.max(...colours.map(({ max }) => max));
  // Colours of floating point are light from 0 to 1 for libvips, which gives them their gamma; greys are samples.
  const white = space === 'scrgb' ? 1 : 255;
  const [from, to] = least >= 0 && most <= 1 ? [0, 1] : least < 0 || most > 255 ? [least, most] : [0, 255];
  const factor = white / (to - from || 1);
  if (factor !== 1) image.linear(factor, -factor * from);
}

/** Both: otherwise sharp goes through sRGB and back. */
async function toInks(image: Sharp): Promise<Pixels> {
  const inks = await toSamples(image.pipelineColourspace('cmyk').toColourspace('cmyk'));
  return inks.channels === 5 ? inks : requireChannels(inks, 4);
}

async function toSamples(image: Sharp): Promise<Pixels> {
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels };
}

function requireChannels(pixels: Pixels, channels: number): Pixels {
  if (pixels.channels === channels) return pixels;
  throw new Error(`it decodes to ${pixels.channels} channels where the model wants ${channels}`);
}

/** The colours of a picture that has more bands than those. */
function firstBands(pixels: Pixels, channels: number): Pixels {
  if (pixels.channels <= channels) return pixels;
  const { data, width, height } = pixels;
  const first = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < channels; c++) first[i * channels + c] = data[i * pixels.channels + c] as number;
  return { data: first, width, height, channels };
}

/** Says what a person can act on when libvips gives up. */
async function named(
  bytes: Uint8Array,
  { timeoutSeconds = TIMEOUT_SECONDS }: DecodeLimits,
  decode: () => Promise<Picture>,
): Promise<Picture> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof VlmoError) throw error;
    if (/^timeout: /.test(errorMessage(error))) throw timeoutError(timeoutSeconds, error);
    throw new VlmoError(
      'IMAGE_INVALID',
      `Cannot decode image: expected ${FORMATS}, received ${describe(bytes, error)}`,
      { cause: error },
    );
  }
}

/** What is said of a picture that is still being decoded when its time is over. */
export function timeoutError(seconds: number, cause?: unknown): VlmoError {
  return new VlmoError(
    'ITEM_TIMEOUT',
    `Cannot decode image: expected it within ${seconds} seconds, received no end of it (--decode-timeout sets the limit)`,
    { cause },
  );
}

/** libvips repeats what it was given. */
const MAX_REASON = 200;

function describe(bytes: Uint8Array, error: unknown): string {
  if (bytes.length === 0) return '0 bytes';
  const foreign = foreignFormat(bytes);
  if (foreign !== undefined) return `${foreign}; convert it first`;
  const reason = (errorMessage(error).trim().split('\n')[0] ?? '').slice(0, MAX_REASON);
  if (/unsupported image format/.test(reason)) return `${bytes.length} bytes of something else`;
  return `${bytes.length} bytes that are damaged or cut short (${reason})`;
}
