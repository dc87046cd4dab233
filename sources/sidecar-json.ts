import { errorMessage } from '#errors.ts';
import { collectCaptions, sameCaption } from './captions.ts';
import type { SourceOptions } from './item.ts';
import { parseJson } from './json.ts';
import { isTooDeep, type OpenMeta, setMeta, TOO_DEEP } from './meta.ts';
import { describeType } from './quote.ts';

/** Keys of a JSON file that hold captions; its other keys are `meta`. */
const CAPTION_KEYS: readonly string[] = ['caption', 'captions', 'text'];

/**
 * Adds the captions of a JSON file beside a picture, and its other keys as `meta`. Returns whether it has a key of captions. Throws an error
 * that says `expected …, received …`.
 */
export function takeJson(
  text: string,
  { captionColumns = [] }: SourceOptions,
  captions: string[],
  meta: OpenMeta,
): boolean {
  const value = parseObject(text);
  const found: string[] = [];
  const keys = captionColumns.length > 0 ? captionColumns : CAPTION_KEYS;
  for (const key of keys) {
    const reason = Object.hasOwn(value, key) ? collectCaptions(value[key], found) : undefined;
    if (reason !== undefined) refuse(reason);
  }
  if (isTooDeep(value)) refuse(TOO_DEEP);
  // img2dataset writes the same caption into both files.
  captions.push(...found.filter((caption) => !captions.some((known) => sameCaption(known, caption))));
  for (const [key, one] of Object.entries(value)) {
    if (!keys.includes(key)) setMeta(meta, key, one);
  }
  return keys.some((key) => Object.hasOwn(value, key));
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    return refuse(`expected a JSON object, received invalid JSON (${errorMessage(error)})`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  return refuse(`expected a JSON object, received ${describeType(value)}`);
}

function refuse(reason: string): never {
  throw new Error(reason);
}
