import { type PictureSpec, pictureValues } from '#pictures/picture-spec.ts';
import { normalise } from '#pictures/preprocess.ts';

/** Pictures of 8 bits as the model's input [B, C, H, W], in memory that is used again for each batch. */
export function createNormaliser(
  spec: PictureSpec,
): (pictures: { readonly pixels: SharedArrayBuffer; readonly count: number }) => Float32Array {
  const values = pictureValues(spec);
  let memory = new Float32Array();
  return ({ pixels, count }) => {
    const samples = new Uint8Array(pixels, 0, count * values);
    if (memory.length < samples.length) memory = new Float32Array(samples.length);
    const data = memory.subarray(0, samples.length);
    normalise(samples, spec, data);
    return data;
  };
}
