/** A row's other columns while they are collected. */
export type OpenMeta = Record<string, unknown>;

/** Sets a key that the user chose: assigning to `__proto__` would replace the prototype instead. */
export function setMeta(meta: OpenMeta, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(meta, key, { value, enumerable: true, writable: true, configurable: true });
  } else {
    meta[key] = value;
  }
}

/** JSON.stringify overflows the stack some thousand levels down, and `meta` is stored as JSON. */
const MAX_DEPTH = 100;
export const TOO_DEEP = `expected values nested at most ${MAX_DEPTH} deep, received deeper ones`;

export function isTooDeep(value: unknown, levels = MAX_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((one) => isTooDeep(one, levels - 1));
}
