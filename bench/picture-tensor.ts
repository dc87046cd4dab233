import { pictureValues, type VlmoConfig } from '#model/vlmo/config.ts';
import type { Tensor } from '#model/vlmo/inputs.ts';
import type { DecodeLimits } from '#pictures/decode.ts';
import { samplesTensor } from '#pictures/picture-tensor.ts';
import { decodeSamples, type PreprocessMode } from '#pictures/preprocess.ts';

/** One picture as a batch of one, [1, C, H, W]. */
export async function pictureTensor(
  bytes: Uint8Array,
  config: VlmoConfig,
  mode: PreprocessMode,
  limits: DecodeLimits,
): Promise<Tensor> {
  const samples = new Uint8Array(pictureValues(config));
  await decodeSamples(bytes, config, mode, limits, samples);
  return samplesTensor(samples, config);
}
