import { pictureValues } from '#model/vlmo/config.ts';
import type { Vlmo } from '#model/vlmo/vlmo.ts';
import type { DecodeLimits } from '#pictures/decode.ts';
import { pictureError } from '#pictures/picture-error.ts';
import { type PreprocessMode, preprocess } from '#pictures/preprocess.ts';
import { readPicture } from '#pictures/read-picture.ts';
import { type CrossEncoder, createCrossEncoder } from './cross-encoder.ts';

export interface LocalCrossEncoderOptions extends DecodeLimits {
  /** The one that made the generation. */
  readonly preprocess: PreprocessMode;
  readonly maxImageBytes: number;
}

/**
 * Matches by a model that this thread has loaded, and may dispose of when no match is under way. The graph of the fusion
 * encoder is made when it is first needed, if it was not asked for. Throws MODEL_HEAD_MISSING.
 */
export function createLocalCrossEncoder(
  vlmo: Vlmo,
  options: LocalCrossEncoderOptions,
): Promise<CrossEncoder> {
  const { config } = vlmo;
  const size = pictureValues(config);
  return createCrossEncoder({
    model: vlmo.folder,
    threads: 1,
    async decode(uri, pixels, slot) {
      const bytes = readPicture(uri, options.maxImageBytes);
      const target = new Float32Array(pixels, slot * size * Float32Array.BYTES_PER_ELEMENT, size);
      try {
        await preprocess(bytes, config, options.preprocess, options, target);
      } catch (error) {
        throw pictureError(error, uri);
      }
    },
    async run(pixels, count, texts) {
      const data = new Float32Array(pixels, 0, count * size);
      const dims = [count, config.num_channels, ...config.image_size];
      return (await vlmo.match({ data, dims }, texts)).logits;
    },
  });
}
