import sharp from 'sharp';
import { errorMessage, VlmoError } from '#errors.ts';
import type { DecodeLimits } from './decode.ts';

const QUALITY = 80;
const TIMEOUT_SECONDS = 60;

/**
 * A picture as WebP whose longer side has at most `side` pixels, as it is seen: turned by EXIF, in sRGB. Throws
 * IMAGE_INVALID for what cannot be decoded within the limits.
 */
export async function makeThumbnail(
  bytes: Uint8Array,
  side: number,
  { maxPixels, timeoutSeconds: seconds = TIMEOUT_SECONDS }: DecodeLimits,
): Promise<Buffer> {
  try {
    return await sharp(bytes, { limitInputPixels: maxPixels })
      .autoOrient()
      .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
      .timeout({ seconds })
      .webp({ quality: QUALITY })
      .toBuffer();
  } catch (error) {
    const reason = (errorMessage(error).split('\n')[0] ?? '').slice(0, 200);
    throw new VlmoError(
      'IMAGE_INVALID',
      `Cannot draw a thumbnail: expected a picture that can be decoded, received ${bytes.length} bytes (${reason})`,
      { cause: error },
    );
  }
}
