import { VlmoError } from '#errors.ts';

/** What a pickle may build, and out of which names; anything else is refused. */

/** A tensor as the pickle describes it: a strided view into one storage of the archive. */
export class PickledTensor {
  readonly storage: PickledStorage;
  /** In elements, as are the strides. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: PickledStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** A run of elements in a file of its own inside the archive, `data/<key>`. */
export class PickledStorage {
  /** PyTorch's class, `FloatStorage` for example. */
  readonly type: string;
  readonly key: string;
  readonly elements: number;

  constructor(type: string, key: string, elements: number) {
    this.type = type;
    this.key = key;
    this.elements = elements;
  }
}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickledTensor
  | PickledStorage
  | GlobalName;

/** A name of a module's member; data until something calls it. */
export class GlobalName {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

const STORAGE_TYPE = /^torch\.(?:storage\.)?(\w+Storage)$/;
const TORCH_DTYPE = /^torch\.(?:float\d*|half|double|bfloat16|u?int\d+|long|short|bool)$/;
export const CONSTRUCTORS: Readonly<
  Record<string, (args: readonly PickleValue[]) => PickleValue | undefined>
> = {
  'collections.OrderedDict': ([pairs]) => (pairs === undefined ? new Map() : mapOfPairs(pairs)),
  'torch.Size': ([sizes]) => sizes,
  'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, strides]) =>
    tensor(storage, offset, shape, strides),
  'torch._utils._rebuild_parameter': ([data]) => data,
};

/** A name that a pickle may use. Throws CHECKPOINT_UNSAFE for any other. */
export function knownName(name: string): GlobalName {
  if (name in CONSTRUCTORS && Object.hasOwn(CONSTRUCTORS, name)) return new GlobalName(name);
  if (STORAGE_TYPE.test(name) || TORCH_DTYPE.test(name)) return new GlobalName(name);
  throw new VlmoError(
    'CHECKPOINT_UNSAFE',
    `Cannot read checkpoint: expected tensors and plain data only, received a pickle that names "${name}", which could run code`,
  );
}

/** A persistent id is ('storage', class, key, device, number of elements). */
export function storage(id: PickleValue): PickledStorage {
  const [tag, type, key, , elements] = Array.isArray(id) ? (id as PickleValue[]) : [];
  const name = type instanceof GlobalName ? STORAGE_TYPE.exec(type.name)?.[1] : undefined;
  if (tag !== 'storage' || name === undefined || typeof key !== 'string' || !isSize(elements)) {
    throw damaged('a storage with its type, key and number of elements', 'something else');
  }
  return new PickledStorage(name, key, elements);
}

function tensor(
  from: PickleValue | undefined,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
): PickledTensor {
  const sizes = Array.isArray(shape) ? (shape as PickleValue[]) : undefined;
  const steps = Array.isArray(strides) ? (strides as PickleValue[]) : undefined;
  if (
    !(from instanceof PickledStorage) ||
    !isSize(offset) ||
    !sizes?.every(isSize) ||
    !steps?.every(isSize) ||
    sizes.length !== steps.length
  ) {
    throw damaged('a tensor with storage, offset, sizes and strides', 'something else');
  }
  const last = sizes.reduce((sum: number, size, axis) => sum + (size - 1) * (steps[axis] ?? 0), offset);
  if (!sizes.includes(0) && last >= from.elements) {
    throw damaged(
      `a tensor inside its storage of ${from.elements} elements`,
      `one that reaches element ${last}`,
    );
  }
  return new PickledTensor(from, offset, sizes, steps);
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function mapOfPairs(pairs: PickleValue): Map<PickleValue, PickleValue> | undefined {
  if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2))
    return undefined;
  return new Map(pairs as [PickleValue, PickleValue][]);
}

export function damaged(expected: string, received: string): VlmoError {
  return new VlmoError(
    'CHECKPOINT_INVALID',
    `Cannot read checkpoint: expected ${expected}, received ${received}`,
  );
}
