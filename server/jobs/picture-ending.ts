import { pictureKind } from '#download/picture-kind.ts';
import { VlmoError } from '#errors.ts';

/** The ending of a file for these bytes. Throws IMAGE_INVALID for what begins no picture: nothing else is kept. */
export function requirePicture(bytes: Uint8Array, field: string): string {
  const kind = pictureKind(bytes.subarray(0, 1024));
  if (kind !== undefined) return `.${kind}`;
  throw new VlmoError(
    'IMAGE_INVALID',
    `Cannot keep "${field}": expected a JPEG, PNG, WebP, GIF, TIFF, AVIF or SVG picture, received ${bytes.length} bytes of something else`,
    { details: { field, expected: 'a picture', received: `${bytes.length} bytes` } },
  );
}
