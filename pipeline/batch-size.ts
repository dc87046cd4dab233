/** Multiplications that make a batch worth its overhead, and few enough that batches stay small in memory. */
const MACS_PER_BATCH = 70e9;
const MIN_BATCH = 2;
/** Beyond it the values between two layers leave the cache: 8 to 16 were a fifth faster than 64 with the bundled model. */
const MAX_BATCH = 16;

/** A GPU wants much to do at once, in buffers that every WebGPU allows. */
const MAX_ON_GPU = 64;
const GPU_BUFFER_BYTES = 128 * 1024 * 1024;

/** What embedding one picture costs. */
export interface PictureCosts {
  readonly macsPerPicture: number;
  /** Bytes of the largest values between two layers. */
  readonly activationBytes: number;
}

/** Pictures of a batch for a model: the power of two that gives it some 70 billion multiplications. */
export function pictureBatchSize({ macsPerPicture, activationBytes }: PictureCosts, isGpu = false): number {
  if (isGpu) {
    const fitting = 2 ** Math.floor(Math.log2(GPU_BUFFER_BYTES / activationBytes));
    return Math.min(MAX_ON_GPU, Math.max(1, fitting));
  }
  const wanted = 2 ** Math.round(Math.log2(MACS_PER_BATCH / macsPerPicture));
  return Math.min(MAX_BATCH, Math.max(MIN_BATCH, wanted));
}
