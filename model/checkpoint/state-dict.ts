import { VlmoError } from '#errors.ts';
import { PickledTensor, type PickleValue } from './pickle-values.ts';

/** The keys a state dict may lie under, looked for in this order; DeepSpeed puts `module.` before every name, too. */
const WRAPPINGS = ['state_dict', 'module', 'model'];
const MODULE_PREFIX = 'module.';

/** The tensors of a checkpoint by name, unwrapped. Throws CHECKPOINT_INVALID where there are none. */
export function stateDict(path: string, value: PickleValue): Map<string, PickledTensor> {
  const dict = unwrap(value);
  const tensors = new Map<string, PickledTensor>();
  for (const [key, tensor] of dict ?? []) {
    if (typeof key !== 'string' || !(tensor instanceof PickledTensor)) continue;
    tensors.set(key.startsWith(MODULE_PREFIX) ? key.slice(MODULE_PREFIX.length) : key, tensor);
  }
  if (tensors.size > 0) return tensors;
  throw new VlmoError(
    'CHECKPOINT_INVALID',
    `Cannot read checkpoint "${path}": expected tensors by name at the top or under ${WRAPPINGS.map((key) => `"${key}"`).join(', ')}, received ${describe(value)}`,
  );
}

function unwrap(value: PickleValue): Map<PickleValue, PickleValue> | undefined {
  if (!(value instanceof Map)) return undefined;
  for (const key of WRAPPINGS) {
    const inner = value.get(key);
    if (inner instanceof Map) return inner;
  }
  return value;
}

/** Never prints anything but text and numbers: the text of a list in a pickle can grow without end. */
function describe(value: PickleValue): string {
  if (!(value instanceof Map)) return 'a pickle of something else';
  const keys = [...value.keys()]
    .slice(0, 8)
    .map((key) =>
      typeof key === 'string' ? `"${key.slice(0, 80)}"` : typeof key === 'number' ? key : 'something else',
    );
  return keys.length === 0 ? 'an empty dict' : `a dict of ${keys.join(', ')}`;
}
