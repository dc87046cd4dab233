import { pictureValues, type VlmoConfig } from '#model/vlmo/config.ts';
import type { Tensor } from '#model/vlmo/inputs.ts';
import type { DecodeLimits } from './decode.ts';
import { pictureError } from './picture-error.ts';
import { decodeSamples, normalise, type PreprocessMode } from './preprocess.ts';

/** One picture as a batch of one, [1, C, H, W]. `name` is what errors call it. Throws as `preprocess` does. */
export async function pictureTensor(
  bytes: Uint8Array,
  config: VlmoConfig,
  mode: PreprocessMode,
  limits: DecodeLimits,
  name = '',
): Promise<Tensor> {
  const samples = new Uint8Array(pictureValues(config));
  try {
    await decodeSamples(bytes, config, mode, limits, samples);
  } catch (error) {
    throw pictureError(error, name);
  }
  return samplesTensor(samples, config);
}

/** Decoded pictures [B, C, H, W] as what the model reads. */
export function samplesTensor(samples: Uint8Array, config: VlmoConfig): Tensor {
  const data = new Float32Array(samples.length);
  normalise(samples, data);
  return { data, dims: [samples.length / pictureValues(config), config.num_channels, ...config.image_size] };
}
