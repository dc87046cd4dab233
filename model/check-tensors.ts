import { VlmoError } from '#errors.ts';
import type { TensorPlace } from './safetensors.ts';

/** Throws MODEL_INVALID for the first tensor of a model that is not there, or not as it should be. */
export function checkTensors(
  path: string,
  tensors: ReadonlyMap<string, TensorPlace>,
  shapes: ReadonlyMap<string, readonly number[]>,
  dtype: TensorPlace['dtype'],
): void {
  for (const [name, shape] of shapes) {
    const found = tensors.get(name);
    if (found?.dtype === dtype && found.shape.join() === shape.join()) continue;
    const received = found ? `[${found.shape.join(', ')}] in ${found.dtype}` : 'weights without it';
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot open model "${path}": expected tensor "${name}" of shape [${shape.join(', ')}] in ${dtype}, received ${received}`,
    );
  }
}
