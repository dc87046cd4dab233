import type { Constant } from '#onnx/graph.ts';
import type { TensorPlace } from './safetensors.ts';

/** The file of a model folder that holds its tensors. */
export const WEIGHTS_FILE = 'model.safetensors';
/** The tensors of a model folder, as constants that graphs refer to without copying them. */
export interface Weights {
  readonly tensors: ReadonlyMap<string, TensorPlace>;
  /** Rows [from, to) of a tensor's first axis, all of them when left out. A missing tensor is a bug: import checks. */
  rows(name: string, from?: number, to?: number): Constant;
}

const ELEMENT_BYTES = { F32: 4, F16: 2 } as const;
const ELEMENT_TYPE = { F32: 'float32', F16: 'float16' } as const;

export function createWeights(location: string, tensors: ReadonlyMap<string, TensorPlace>): Weights {
  return {
    tensors,
    rows(name, from, to) {
      const place = tensors.get(name);
      if (!place) throw new Error(`The model has no tensor "${name}": this is a bug`);
      const [all = 1, ...rest] = place.shape;
      const [first, last] = [from ?? 0, to ?? all];
      const rowBytes = rest.reduce((product, size) => product * size, ELEMENT_BYTES[place.dtype]);
      return {
        name: first === 0 && last === all ? name : `${name}[${first}:${last}]`,
        type: ELEMENT_TYPE[place.dtype],
        dims: place.shape.length === 0 ? [] : [last - first, ...rest],
        data: { location, offset: place.offset + first * rowBytes, length: (last - first) * rowBytes },
      };
    },
  };
}
