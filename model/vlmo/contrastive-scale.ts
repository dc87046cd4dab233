import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { halfToFloat } from '#float16.ts';
import { WEIGHTS_FILE } from '../weights.ts';
import type { ModelFolder } from './folder.ts';
import { requireHead } from './sessions.ts';

/**
 * exp(logit_scale): what the model multiplied cosines by when it learned, so that they became logits. Every model folder
 * with ITC heads has it. Throws MODEL_HEAD_MISSING.
 */
export async function readContrastiveScale(model: ModelFolder): Promise<number> {
  requireHead(model, 'image');
  const place = model.weights.tensors.get('logit_scale');
  if (!place) throw new Error(`The model "${model.name}" has no logit_scale: this is a bug`);
  await using file = await open(join(model.path, WEIGHTS_FILE));
  const bytes = new Uint8Array(place.length);
  await file.read(bytes, 0, place.length, place.offset);
  const [value = Number.NaN] =
    place.dtype === 'F32' ? new Float32Array(bytes.buffer) : halfToFloat(new Uint16Array(bytes.buffer));
  return Math.exp(value);
}
