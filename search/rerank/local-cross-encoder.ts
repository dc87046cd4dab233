import { pictureValues } from '#model/vlmo/config.ts';
import type { Vlmo } from '#model/vlmo/vlmo.ts';
import { samplesTensor } from '#pictures/picture-tensor.ts';
import { decodeOne } from '#workers/decode/decode-one.ts';
import type { PreprocessPool } from '#workers/decode/preprocess-pool.ts';
import { type CrossEncoder, createCrossEncoder } from './cross-encoder.ts';

/**
 * Matches by a model that this thread has loaded, and may dispose of when no match is under way; pictures are decoded
 * by the pool, with the preprocessing that made the generation. The graph of the fusion encoder is made when it is first
 * needed, if it was not asked for. Throws MODEL_HEAD_MISSING.
 */
export function createLocalCrossEncoder(vlmo: Vlmo, preprocess: PreprocessPool): Promise<CrossEncoder> {
  const size = pictureValues(vlmo.config);
  return createCrossEncoder({
    model: vlmo.folder,
    threads: 1,
    decode: (uri, pixels, slot) => decodeOne(preprocess, { uri }, pixels, slot),
    async run(pixels, count, texts) {
      const samples = new Uint8Array(pixels, 0, count * size);
      return (await vlmo.match(samplesTensor(samples, vlmo.config), texts)).logits;
    },
  });
}
