import ort from 'onnxruntime-node';
import { VlmoError } from '#errors.ts';
import { floatToHalf, halfToFloat } from '#float16.ts';
import type { GraphTensor } from '#onnx/read-graph.ts';

/** Numbers of element types in the ONNX schema. */
const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;
const FLOAT16 = 10;

/** Whole numbers in the type that an input takes. Throws MODEL_INVALID. */
export function wholeTensor(input: GraphTensor, values: Int32Array, dims: readonly number[]): ort.Tensor {
  if (input.type === INT32) return new ort.Tensor('int32', values, dims);
  if (input.type === INT64) return new ort.Tensor('int64', BigInt64Array.from(values, BigInt), dims);
  throw wrongType(input, 'whole numbers of 32 or 64 bits');
}

/** Numbers in the type that an input takes. Throws MODEL_INVALID. */
export function floatTensor(input: GraphTensor, values: Float32Array, dims: readonly number[]): ort.Tensor {
  if (input.type === FLOAT) return new ort.Tensor('float32', values, dims);
  if (input.type === FLOAT16) return new ort.Tensor('float16', floatToHalf(values), dims);
  throw wrongType(input, 'numbers of 16 or 32 bits');
}

/** The rows of a result [B, D], each of unit length. Throws INFERENCE_FAILED for what is no number. */
export function unitRows(tensor: ort.Tensor, rows: number, what: string): Float32Array {
  const values = floatsOf(tensor);
  const width = values.length / rows;
  for (let from = 0; from < values.length; from += width) {
    const row = values.subarray(from, from + width);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (!(length > 0) || !Number.isFinite(length)) {
      const received = length === 0 ? 'zeros only' : 'numbers that are none';
      throw new VlmoError(
        'INFERENCE_FAILED',
        `Cannot run the model: expected a vector of ${what}, received ${received}; 16 bits may be too few for it`,
      );
    }
    for (let i = 0; i < width; i++) row[i] = (row[i] as number) / length;
  }
  return values;
}

/** A copy in 32 bits: what a run gave may be overwritten by the next one. */
function floatsOf({ data, type }: ort.Tensor): Float32Array {
  if (type === 'float32') return Float32Array.from(data as Float32Array);
  // A Float16Array where Node has it, the bits where it has not.
  if (data instanceof Uint16Array) return halfToFloat(data);
  return Float32Array.from(data as unknown as ArrayLike<number>);
}

function wrongType({ name, type }: GraphTensor, expected: string): VlmoError {
  return new VlmoError(
    'MODEL_INVALID',
    `Cannot run the model: expected input "${name}" to take ${expected}, received element type ${type}`,
  );
}
