import { partialFrame } from './gif-canvas.ts';
import { extraBand, isFloatTiff } from './tiff-bands.ts';

/** Formats, as rows have them, of the pictures that `wasReadOtherwise` can be true of. */
export const ODD_FORMATS = ['tiff', 'gif'] as const;

/**
 * Whether a version before 0.2 saw a picture otherwise than it is: TIFFs of floating point were black, bands that are no
 * transparency were taken for some, and the free canvas of a GIF was black.
 */
export function wasReadOtherwise(bytes: Uint8Array): boolean {
  return isFloatTiff(bytes) || extraBand(bytes) === 'something else' || partialFrame(bytes) !== undefined;
}
