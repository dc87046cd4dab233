/** Values as JSON would have them: integers that a double is too coarse for as their digits, times as texts, no bytes. */
export function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'object' || value === null) return value ?? null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return null;
  if (Array.isArray(value)) return value.map(plainValue);
  if ('toJSON' in value && typeof value.toJSON === 'function') return plainValue(value.toJSON());
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plainValue(one)]));
}
