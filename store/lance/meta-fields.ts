import { VlmoError } from '#errors.ts';
import { sqlText } from './sql.ts';

/**
 * The column beside `meta` that filters read. `meta` itself is the JSON as written, so it comes back exactly;
 * Lance's JSON functions fail a whole query when one row has another type than asked for, so this column holds
 * every field of `meta` once more, flat and under a key that names its type:
 *
 *     {"price": 5, "size": {"unit": "cm"}}  ->  {"n/price": 5, "o/size": true, "s/size/unit": "cm"}
 *
 * After the type comes the path as a JSON Pointer (RFC 6901: `~0` is `~`, `~1` is `/`). A field of another type
 * is then simply absent, which SQL reads as NULL: it matches no comparison, negated or not.
 */
export const META_FIELDS = 'meta_fields';

export type MetaType = 'string' | 'number' | 'boolean';

/** The SQL value of one field of `meta`, NULL in rows where it is absent or of another type. */
export function metaFieldSql(path: readonly string[], type: MetaType): string {
  const { key, read } = TYPES[type];
  return `${read}(${META_FIELDS}, ${sqlText(key + pointer(path))})`;
}

/** SQL values of which one is not NULL where a field of `meta` is there and not null, whatever its type. */
export function metaPresenceSql(path: readonly string[]): string[] {
  const keys = [...Object.values(TYPES).map((type) => type.key), CONTAINER];
  return keys.map((key) => `json_get(${META_FIELDS}, ${sqlText(key + pointer(path))})`);
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
  const entries: string[] = [];
  addFields(entries, '', meta, 1);
  return `{${entries.join(',')}}`;
}

const TYPES = {
  string: { key: 's', read: 'json_get_string' },
  number: { key: 'n', read: 'json_get_float' },
  boolean: { key: 'b', read: 'json_get_bool' },
} as const;
const CONTAINER = 'o';
/** Deeper fields are kept but cannot be filtered by. */
const MAX_DEPTH = 32;

function addFields(entries: string[], prefix: string, object: object, depth: number): void {
  for (const [name, value] of Object.entries(object)) {
    const path = prefix + pointer([name]);
    if (typeof value === 'string') addField(entries, TYPES.string.key, path, value.toWellFormed());
    else if (typeof value === 'boolean') addField(entries, TYPES.boolean.key, path, value);
    else if (typeof value === 'number' && Number.isFinite(value)) {
      addField(entries, TYPES.number.key, path, value);
    } else if (typeof value === 'object' && value !== null) {
      addField(entries, CONTAINER, path, true);
      if (!Array.isArray(value) && depth < MAX_DEPTH) addFields(entries, path, value, depth + 1);
    }
  }
}

function addField(entries: string[], key: string, path: string, value: string | number | boolean): void {
  entries.push(`${JSON.stringify(key + path)}:${JSON.stringify(value)}`);
}

function pointer(path: readonly string[]): string {
  return path.map((name) => `/${name.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
