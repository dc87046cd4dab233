import { describeType } from './quote.ts';

/** Keys of an object that is one caption: Karpathy's splits, COCO, and captions of data sets of many. */
const TEXT_KEYS = ['raw', 'caption', 'text'] as const;

/**
 * Adds the captions that a value holds, trimmed, without the empty ones: a text, an object with one, or a list of either.
 * Returns `expected …, received …` if the value cannot be captions.
 */
export function collectCaptions(value: unknown, into: string[]): string | undefined {
  if (value === undefined || value === null) return undefined;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const one of values) {
    if (one === null && Array.isArray(value)) continue;
    const text = textOf(one);
    if (text === undefined) {
      const received = Array.isArray(value) ? `a list with ${describe(one)}` : describe(one);
      return `expected captions as a text, or a list of texts or of objects with "raw", "caption" or "text", received ${received}`;
    }
    const caption = text.trim();
    if (caption !== '') into.push(caption);
  }
  return undefined;
}

/** Whether two captions say the same, however their lines are broken and their accents are written. */
export function sameCaption(one: string, other: string): boolean {
  return one === other || formOf(one) === formOf(other);
}

function formOf(caption: string): string {
  return caption.normalize('NFC').replace(/\s+/g, ' ').trim();
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const key = TEXT_KEYS.find((name) => Object.hasOwn(value, name));
  const text: unknown = key && (value as Readonly<Record<string, unknown>>)[key];
  return text === null ? '' : typeof text === 'string' ? text : undefined;
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return describeType(value);
  return `an object with ${
    Object.keys(value)
      .slice(0, 5)
      .map((key) => `"${key.slice(0, 40)}"`)
      .join(', ') || 'no key'
  }`;
}
