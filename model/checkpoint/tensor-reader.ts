import { VlmoError } from '#errors.ts';
import { bfloatToFloat, floatToHalf, halfToFloat } from '#float16.ts';
import type { CheckpointArchive, StoragePlace } from './archive.ts';
import type { PickledTensor } from './pickle-values.ts';

/** Elements converted at a time: 1 MiB of float32. */
const CHUNK = 256 * 1024;
/** Most elements of a tensor that lies scattered in its storage, which is put together in memory. */
const MAX_SCATTERED = 2 ** 28;

const STORAGES = {
  FloatStorage: {
    bytes: 4,
    decode: (raw: Uint8Array, to: Float32Array) => to.set(new Float32Array(raw.buffer, 0, to.length)),
  },
  HalfStorage: {
    bytes: 2,
    decode: (raw: Uint8Array, to: Float32Array) => halfToFloat(new Uint16Array(raw.buffer, 0, to.length), to),
  },
  BFloat16Storage: {
    bytes: 2,
    decode: (raw: Uint8Array, to: Float32Array) =>
      bfloatToFloat(new Uint16Array(raw.buffer, 0, to.length), to),
  },
  DoubleStorage: {
    bytes: 8,
    decode: (raw: Uint8Array, to: Float32Array) => to.set(new Float64Array(raw.buffer, 0, to.length)),
  },
} as const;

type FloatStorage = keyof typeof STORAGES;

export function elementCount(tensor: PickledTensor): number {
  return tensor.shape.reduce((product, size) => product * size, 1);
}

/** The whole tensor as float32, in its logical order. For small tensors: it is held in memory. */
export async function readTensor(
  archive: CheckpointArchive,
  name: string,
  tensor: PickledTensor,
): Promise<Float32Array> {
  const { place, type } = locate(archive, name, tensor);
  if (!isContiguous(tensor)) {
    const span = tensor.shape.reduce((sum, size, axis) => sum + (size - 1) * (tensor.strides[axis] ?? 0), 1);
    if (Math.max(span, elementCount(tensor)) > MAX_SCATTERED) {
      throw invalid(
        archive,
        `tensor "${name}" of at most ${MAX_SCATTERED} elements`,
        `[${tensor.shape.join(', ')}]`,
      );
    }
    return gather(await readElements(archive, place, type, tensor.offset, new Float32Array(span)), tensor);
  }
  return readElements(archive, place, type, tensor.offset, new Float32Array(elementCount(tensor)));
}

/**
 * The tensor's bytes in the target's format, a few MiB at a time, so that no weight of any size fills the memory. Each
 * piece is overwritten by the next one.
 */
export async function* streamTensor(
  archive: CheckpointArchive,
  name: string,
  tensor: PickledTensor,
  dtype: 'F32' | 'F16',
): AsyncGenerator<Uint8Array> {
  const { place, type } = locate(archive, name, tensor);
  const total = elementCount(tensor);
  if (!isContiguous(tensor)) {
    yield encodeFloats(await readTensor(archive, name, tensor), dtype);
    return;
  }
  const raw = new Uint8Array(Math.min(CHUNK, total) * STORAGES[type].bytes);
  const values = new Float32Array(Math.min(CHUNK, total));
  const half = new Uint16Array(dtype === 'F16' ? values.length : 0);
  for (let first = 0; first < total; first += CHUNK) {
    const piece = values.subarray(0, Math.min(CHUNK, total - first));
    await readElements(archive, place, type, tensor.offset + first, piece, raw);
    yield encodeFloats(piece, dtype, half);
  }
}

/** float32 values as the bytes of a safetensors file; float16 ones lie in `half`. */
export function encodeFloats(
  values: Float32Array,
  dtype: 'F32' | 'F16',
  half = new Uint16Array(values.length),
): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  floatToHalf(values, half);
  return new Uint8Array(half.buffer, 0, 2 * values.length);
}

function locate(
  archive: CheckpointArchive,
  name: string,
  tensor: PickledTensor,
): { place: StoragePlace; type: FloatStorage } {
  const { type, key, elements } = tensor.storage;
  if (!(type in STORAGES))
    throw invalid(archive, `tensor "${name}" in ${Object.keys(STORAGES).join(', ')}`, type);
  const place = archive.place(key);
  const bytes = elements * STORAGES[type as FloatStorage].bytes;
  if (!place) throw invalid(archive, `storage "${key}" of tensor "${name}"`, 'an archive without it');
  if (place.length < bytes) throw invalid(archive, `${bytes} bytes of tensor "${name}"`, `${place.length}`);
  if (!archive.littleEndian) throw invalid(archive, 'little-endian numbers', 'big-endian ones');
  return { place, type: type as FloatStorage };
}

async function readElements(
  archive: CheckpointArchive,
  place: StoragePlace,
  type: FloatStorage,
  first: number,
  values: Float32Array,
  scratch?: Uint8Array,
): Promise<Float32Array> {
  const { bytes, decode } = STORAGES[type];
  const raw = scratch ?? new Uint8Array(values.length * bytes);
  await archive.read(raw.subarray(0, values.length * bytes), place.offset + first * bytes);
  decode(raw, values);
  return values;
}

function isContiguous({ shape, strides }: PickledTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis] ?? 1;
  }
  return true;
}

/** The elements in logical order, of a storage that was read from the tensor's first element on. */
function gather(storage: Float32Array, tensor: PickledTensor): Float32Array {
  const { shape, strides } = tensor;
  const values = new Float32Array(elementCount(tensor));
  const at = shape.map(() => 0);
  let source = 0;
  for (let i = 0; i < values.length; i++) {
    values[i] = storage[source] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (at[axis] ?? 0) + 1;
      source += strides[axis] ?? 0;
      if (next < (shape[axis] ?? 0)) {
        at[axis] = next;
        break;
      }
      source -= next * (strides[axis] ?? 0);
      at[axis] = 0;
    }
  }
  return values;
}

function invalid(archive: CheckpointArchive, expected: string, received: string): VlmoError {
  return new VlmoError(
    'CHECKPOINT_INVALID',
    `Cannot read checkpoint "${archive.path}": expected ${expected}, received ${received}`,
  );
}
