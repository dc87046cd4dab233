import type { ItemKind } from '#store/contract.ts';
import { type MetaType, metaFieldSql, metaPresenceSql } from '#store/lance/meta-fields.ts';
import { sqlText } from '#store/lance/sql.ts';
import { toStoredText } from '#store/lance/stored-text.ts';

/** A value in a filter. */
export type FilterValue = string | number | boolean;

/** What a filter compares: a column, or a field of `meta`. */
export interface FilterOperand {
  /** As the user wrote it, for messages. */
  readonly name: string;
  /** The type that values compared with it must have; undefined where they may have any (a field of `meta`). */
  readonly type: ColumnType | undefined;
  /** The SQL of its value, to be compared with values of this type. */
  sql(type: MetaType): string;
  /** A value as SQL; undefined where it has the type but cannot be read (a time). */
  literal(value: FilterValue): string | undefined;
  /** SQL values that are all NULL where it is absent. */
  readonly presence: readonly string[];
}

export type ColumnType = 'text' | 'number' | 'time';

/** The operand of a column; undefined where items of this kind have none of this name. */
export function columnOperand(kind: ItemKind, name: string): FilterOperand | undefined {
  const type = columns(kind).get(name);
  if (type === undefined) return undefined;
  return {
    name,
    type,
    // Lance compares a whole-number column with a whole number of its own size only: 2.5 would be an error.
    sql: () => (type === 'number' ? `CAST(${name} AS DOUBLE)` : name),
    literal(value) {
      if (type === 'time') return timeLiteral(String(value));
      return typeof value === 'string' ? sqlText(toStoredText(value)) : valueLiteral(value);
    },
    presence: [name],
  };
}

/** The columns that can be filtered by. */
export function columnNames(kind: ItemKind): string[] {
  return [...columns(kind).keys()];
}

/** The operand of a field of `meta`: the value it is compared with says what it has to be. */
export function metaOperand(name: string, path: readonly string[]): FilterOperand {
  return {
    name,
    type: undefined,
    sql: (type) => metaFieldSql(path, type),
    literal: valueLiteral,
    presence: metaPresenceSql(path),
  };
}

type Columns = ReadonlyMap<string, ColumnType>;

const SHARED: readonly [string, ColumnType][] = [
  ['id', 'text'],
  ['uri', 'text'],
  ['indexed_at', 'time'],
  ['run', 'text'],
];
const IMAGE_COLUMNS: Columns = new Map([
  ...SHARED,
  ['width', 'number'],
  ['height', 'number'],
  ['bytes', 'number'],
  ['sha256', 'text'],
  ['format', 'text'],
]);
const CAPTION_COLUMNS: Columns = new Map([...SHARED, ['image_id', 'text'], ['caption', 'text']]);

function columns(kind: ItemKind): Columns {
  return kind === 'image' ? IMAGE_COLUMNS : CAPTION_COLUMNS;
}

function valueLiteral(value: FilterValue): string {
  if (typeof value === 'string') return sqlText(value.toWellFormed());
  if (typeof value === 'boolean') return String(value);
  // Always a float: Lance reads bare digits as a 64-bit whole number, which large ones are not.
  return /^-?\d+$/.test(String(value)) ? `${value}.0` : String(value);
}

/** A date or a time as SQL; without a zone it is UTC, as everything stored is. */
function timeLiteral(text: string): string | undefined {
  const parts =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)\s*(Z|[+-]\d{2}:\d{2})?)?$/i.exec(text);
  if (!parts) return undefined;
  const [, date, time = '00:00', zone = 'Z'] = parts;
  const moment = new Date(`${date}T${time}${zone.toUpperCase()}`);
  if (Number.isNaN(moment.getTime())) return undefined;
  return `timestamp ${sqlText(moment.toISOString().replace('T', ' ').replace('Z', ''))}`;
}
