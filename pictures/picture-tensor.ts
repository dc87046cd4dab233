import { pictureValues, type VlmoConfig } from '#model/vlmo/config.ts';
import type { Tensor } from '#model/vlmo/inputs.ts';
import type { DecodeLimits } from './decode.ts';
import { pictureError } from './picture-error.ts';
import { type PreprocessMode, preprocess } from './preprocess.ts';

/** One picture as a batch of one, [1, C, H, W]. `name` is what errors call it. Throws as `preprocess` does. */
export async function pictureTensor(
  bytes: Uint8Array,
  config: VlmoConfig,
  mode: PreprocessMode,
  limits: DecodeLimits,
  name?: string,
): Promise<Tensor> {
  const data = new Float32Array(pictureValues(config));
  try {
    await preprocess(bytes, config, mode, limits, data);
  } catch (error) {
    throw name === undefined ? error : pictureError(error, name);
  }
  return { data, dims: [1, config.num_channels, ...config.image_size] };
}
