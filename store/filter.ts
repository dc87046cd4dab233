import type { ItemKind } from './records.ts';

/**
 * What a scan or a search lets through, as a tree: the text that a person writes becomes one in `search/filter`, and each
 * store compiles it to what it can run.
 *
 * A condition is true, false or unknown, as in SQL, and only rows for which the whole is true come through. A comparison
 * is unknown where the row lacks the field or has it in another type than the value; `not` leaves unknown what is.
 *
 * A field of `meta` is text or number as what it is compared with: a number has the text that it is written with, a text that
 * spells a number (`isNumberText`) has that number. Of a list, any element may be what a comparison asks for.
 */
export type Filter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Filter[] }
  | { readonly kind: 'not'; readonly part: Filter }
  | FilterCondition;

/** A test of one field. */
export type FilterCondition =
  | {
      readonly kind: 'compare';
      readonly field: FilterField;
      readonly operator: FilterOperator;
      readonly value: FilterValue;
    }
  /** From `low` to `high`, both included; of one type. */
  | {
      readonly kind: 'between';
      readonly field: FilterField;
      readonly low: FilterValue;
      readonly high: FilterValue;
    }
  /** Equal to one of the values, which are of one type. */
  | { readonly kind: 'in'; readonly field: FilterField; readonly values: readonly FilterValue[] }
  /** `%` is any text, `_` one character, `\` takes the next as it is. */
  | { readonly kind: 'like'; readonly field: FilterField; readonly pattern: string }
  /** Absent or null. */
  | { readonly kind: 'null'; readonly field: FilterField };

export type FilterOperator = '=' | '<' | '<=' | '>' | '>=';
/** A bigint is an integer that a number is too coarse for. */
export type FilterValue = string | number | bigint | boolean | Date;

/** A column of the row, or a field inside its `meta`. */
export type FilterField =
  | { readonly kind: 'column'; readonly name: string; readonly type: ColumnType }
  | { readonly kind: 'meta'; readonly path: readonly string[] };

/** What values compared with a column have to be: a string, a number or bigint, or a Date. */
export type ColumnType = 'text' | 'number' | 'time';

/** The columns of a kind of item that filters know, by the names that people write. */
export function filterColumns(kind: ItemKind): ReadonlyMap<string, ColumnType> {
  return COLUMNS[kind];
}

/** The rows whose text in a column is one of these. */
export function anyOf(name: 'key' | 'id' | 'source' | 'format', values: readonly string[]): Filter {
  return { kind: 'in', field: { kind: 'column', name, type: 'text' }, values };
}

const SHARED: readonly [string, ColumnType][] = [
  ['key', 'text'],
  ['source', 'text'],
  ['id', 'text'],
  ['uri', 'text'],
  ['indexed_at', 'time'],
  ['run', 'text'],
];

const COLUMNS: Readonly<Record<ItemKind, ReadonlyMap<string, ColumnType>>> = {
  image: new Map([
    ...SHARED,
    ['width', 'number'],
    ['height', 'number'],
    ['bytes', 'number'],
    ['sha256', 'text'],
    ['format', 'text'],
  ]),
  caption: new Map([...SHARED, ['image_source', 'text'], ['image_id', 'text'], ['caption', 'text']]),
};
