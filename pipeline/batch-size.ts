import { patchGrid, type VlmoConfig } from '#model/vlmo/config.ts';

/** Multiplications that make a batch worth its overhead, and few enough that batches stay small in memory. */
const MACS_PER_BATCH = 70e9;
const MIN_BATCH = 2;
/** Beyond it the values between two layers leave the cache: 8 to 16 were a fifth faster than 64 with the bundled model. */
const MAX_BATCH = 16;

/** A GPU wants much to do at once, in buffers that every WebGPU allows. */
const MAX_ON_GPU = 64;
const GPU_BUFFER_BYTES = 128 * 1024 * 1024;

/** Pictures of a batch for a model: the power of two that gives it some 70 billion multiplications. */
export function pictureBatchSize(config: VlmoConfig, isGpu = false): number {
  if (isGpu) {
    const fitting = 2 ** Math.floor(Math.log2(GPU_BUFFER_BYTES / largestBytes(config)));
    return Math.min(MAX_ON_GPU, Math.max(1, fitting));
  }
  const wanted = 2 ** Math.round(Math.log2(MACS_PER_BATCH / macsPerPicture(config)));
  return Math.min(MAX_BATCH, Math.max(MIN_BATCH, wanted));
}

/** Multiplications of one picture through the image expert: projections and attention, then the feed-forward layers. */
export function macsPerPicture(config: VlmoConfig): number {
  const { hidden_size: d, intermediate_size: f, num_hidden_layers: layers } = config;
  const [rows, columns] = patchGrid(config);
  const n = rows * columns + 1;
  return layers * (4 * n * d * d + 2 * n * n * d + 2 * n * d * f);
}

/** Bytes of the largest values between two layers for one picture: hidden values, or attention scores. */
function largestBytes(config: VlmoConfig): number {
  const { hidden_size: d, intermediate_size: f, num_attention_heads: heads } = config;
  const [rows, columns] = patchGrid(config);
  const n = rows * columns + 1;
  return Float32Array.BYTES_PER_ELEMENT * Math.max(n * d, n * f, heads * n * n);
}
