import { describeType } from './quote.ts';

/**
 * Adds the captions that a value holds, trimmed, without the empty ones.
 * Returns `expected …, received …` if the value cannot be captions.
 */
export function collectCaptions(value: unknown, into: string[]): string | undefined {
  if (value === undefined || value === null) return undefined;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const one of values) {
    if (typeof one !== 'string') {
      const received = Array.isArray(value) ? `an array with ${describeType(one)}` : describeType(one);
      return `expected captions as a string or an array of strings, received ${received}`;
    }
    const caption = one.trim();
    if (caption !== '') into.push(caption);
  }
  return undefined;
}
