import sharp from 'sharp';
import { errorMessage } from '#errors.ts';
import { squashed } from '#pictures/picture-spec.ts';
import { PREPROCESS_MODES, preprocess } from '#pictures/preprocess.ts';
import type { Finding } from './finding.ts';

/** A JPEG of 16 x 16 pixels, all of this colour. */
const COLOUR = [200, 40, 40] as const;
const JPEG =
  '/9j/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCAAQABADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAABAb/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCMAArn/9k=';
/** What compression of this quality changes, of 255. */
const TOLERANCE = 4;
const SPEC = squashed([16, 16]);

/** Decodes a real JPEG as the pipeline does, in both modes, and looks at the pixels. */
export async function checkPictures(): Promise<Finding> {
  const { sharp: version = '', vips = '' } = sharp.versions;
  const data = { sharp: version, libvips: vips };
  try {
    for (const mode of PREPROCESS_MODES) {
      const planes = new Float32Array(3 * 16 * 16);
      await preprocess(Buffer.from(JPEG, 'base64'), SPEC, mode, { maxPixels: 256 }, planes);
      const pixel = [0, 1, 2].map((channel) => Math.round(((planes[channel * 256 + 128] ?? 0) + 1) * 127.5));
      if (pixel.some((value, i) => Math.abs(value - (COLOUR[i] ?? 0)) > TOLERANCE))
        throw new Error(`a JPEG of colour ${COLOUR} came out as ${pixel} ("${mode}")`);
    }
    return {
      name: 'pictures',
      state: 'ok',
      detail: `a JPEG is decoded: sharp ${version}, libvips ${vips}`,
      data,
    };
  } catch (error) {
    const detail = `sharp ${version} cannot decode a JPEG (${errorMessage(error)}); install it anew: npm rebuild sharp`;
    return { name: 'pictures', state: 'broken', detail, data };
  }
}
