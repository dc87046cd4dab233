import { pictureValues, type VlmoConfig } from '#model/vlmo/config.ts';
import type { Tensor } from '#model/vlmo/inputs.ts';
import { normalise } from './preprocess.ts';

/** Decoded pictures [B, C, H, W] as what the model reads. */
export function samplesTensor(samples: Uint8Array, config: VlmoConfig): Tensor {
  const data = new Float32Array(samples.length);
  normalise(samples, data);
  return { data, dims: [samples.length / pictureValues(config), config.num_channels, ...config.image_size] };
}
