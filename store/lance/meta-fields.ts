import { VlmoError } from '#errors.ts';
import { isLargeInteger, isNumberText, numberKey } from '#store/number-text.ts';
import { sqlText } from './sql.ts';

/**
 * The column beside `meta` that filters read. `meta` itself is the JSON as written, so it comes back exactly;
 * Lance's JSON functions fail a whole query when one row has another type than asked for, so this column holds
 * every field of `meta` once more, flat and under a key that names what it is taken for:
 *
 *     {"price": "20.50", "ok": true, "tags": ["red", "5"]}
 *     -> {"s/price": "20.50", "n/price": 20.5, "b/ok": true, "o/tags": true, "S/tags": "=5 =red", "N/tags": "=p10015"}
 *
 * After the kind comes the path as a JSON Pointer (RFC 6901: `~0` is `~`, `~1` is `/`). What a field is not taken for is
 * absent, which SQL reads as NULL: it matches no comparison, negated or not.
 */
export const META_FIELDS = 'meta_fields';

export const KINDS = {
  /** A text, or the text of a number. */
  text: 's',
  /** A number, or one that a text spells, as a double. */
  number: 'n',
  /** An integer that a double is too coarse for, as `numberKey`, beside its double. */
  large: 'd',
  boolean: 'b',
  /** A list or an object is there. */
  container: 'o',
  /** What a list holds of each, as `toList`; numbers as `numberKey`. */
  texts: 'S',
  numbers: 'N',
  booleans: 'B',
} as const;
export type FieldKind = keyof typeof KINDS;

/** The name of a field in `META_FIELDS`, as SQL. */
export function fieldKeySql(kind: FieldKind, path: readonly string[]): string {
  return sqlText(KINDS[kind] + pointer(path));
}

/** `meta` as JSON; throws STORE_ROW_INVALID where it has none (a bigint, a cycle, thousands of levels). */
export function metaJson(id: string, meta: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(meta);
  } catch (cause) {
    const message = `Cannot store the other columns of ${JSON.stringify(id)}: expected plain JSON, received ${String(cause)}`;
    throw new VlmoError('STORE_ROW_INVALID', message, { cause });
  }
}

/** The flat JSON that `META_FIELDS` holds for one row. */
export function metaFieldsJson(meta: Readonly<Record<string, unknown>>): string {
  const entries = [VERSION];
  addFields(entries, '', meta, 1);
  return `{${entries.join(',')}}`;
}

/** Tells rows from those written before lists and the texts of numbers were there. */
const VERSION = '"v":2';
/** True for rows that were written before. */
export const OLD_FIELDS_SQL = `json_exists(${META_FIELDS}, '$.v') = false`;

/** Stands between the elements of a list; Unicode keeps it out of texts. */
export const SEPARATOR = '\uFDD1';

/** An element of a list; the mark tells a list of one empty text from an empty list. */
export function toElement(value: string): string {
  return `=${value.toWellFormed().replaceAll(SEPARATOR, '\uFFFD')}`;
}

/** Deeper fields are kept but cannot be filtered by. */
const MAX_DEPTH = 32;

function addFields(entries: string[], prefix: string, object: object, depth: number): void {
  for (const [name, value] of Object.entries(object)) {
    const path = prefix + pointer([name]);
    if (typeof value !== 'object') addScalar(entries, path, value);
    else if (value !== null) {
      addField(entries, 'container', path, true);
      if (Array.isArray(value)) addList(entries, path, value);
      else if (depth < MAX_DEPTH) addFields(entries, path, value, depth + 1);
    }
  }
}

function addScalar(entries: string[], path: string, value: unknown): void {
  if (typeof value === 'boolean') addField(entries, 'boolean', path, value);
  const text = textOf(value);
  if (text === undefined) return;
  addField(entries, 'text', path, text.toWellFormed());
  if (!isNumberText(text)) return;
  addField(entries, 'number', path, Number(text));
  if (isLargeInteger(text)) addField(entries, 'large', path, numberKey(text));
}

function addList(entries: string[], path: string, values: readonly unknown[]): void {
  const texts = values.flatMap((value) => textOf(value) ?? []);
  addElements(entries, 'texts', path, texts);
  addElements(entries, 'numbers', path, texts.filter(isNumberText).map(numberKey));
  const booleans = values.filter((value) => typeof value === 'boolean');
  addElements(entries, 'booleans', path, booleans.map(String));
}

/** The text of a text or a number, as it is written in JSON. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined;
}

/** Each once, in the order of their UTF-8 bytes: the first is the least and the last the greatest. */
function addElements(entries: string[], kind: FieldKind, path: string, values: readonly string[]): void {
  if (values.length === 0) return;
  const elements = [...new Set(values.map(toElement))].map((element) => Buffer.from(element));
  addField(entries, kind, path, elements.sort(Buffer.compare).join(SEPARATOR));
}

function addField(entries: string[], kind: FieldKind, path: string, value: string | number | boolean): void {
  entries.push(`${JSON.stringify(KINDS[kind] + path)}:${JSON.stringify(value)}`);
}

function pointer(path: readonly string[]): string {
  return path.map((name) => `/${name.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
