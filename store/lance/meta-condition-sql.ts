import type { FilterValue } from '#store/filter.ts';
import { isLargeInteger, isNumberText, numberKey } from '#store/number-text.ts';
import { type Comparison, comparedSql, numberSql } from './compared-sql.ts';
import { type FieldKind, fieldKeySql, META_FIELDS } from './meta-fields.ts';
import { listSql } from './meta-list-sql.ts';
import { sqlText } from './sql.ts';

/** A comparison of a field of `meta`, or its opposite: with its value, or with any element where that is a list. */
export function metaConditionSql(
  path: readonly string[],
  comparison: Comparison,
  isNegated: boolean,
): string {
  const [first] = valuesOf(comparison);
  if (first === undefined) return String(isNegated);
  const type = typeof first === 'string' ? 'text' : typeof first === 'boolean' ? 'boolean' : 'number';
  const scalar = SCALARS[type](path, comparison, isNegated);
  // A field is either; what it is not is NULL.
  return `coalesce(${scalar}, ${listSql(path, type, comparison, isNegated)})`;
}

/** An SQL value that is not NULL where a field is there and not null, whatever it is. */
export function metaValueSql(path: readonly string[]): string {
  // Rows of before numbers had texts have a number alone.
  const kinds: readonly FieldKind[] = ['text', 'number', 'boolean', 'container'];
  return `coalesce(${kinds.map((kind) => `json_get(${META_FIELDS}, ${fieldKeySql(kind, path)})`).join(', ')})`;
}

type ScalarSql = (path: readonly string[], comparison: Comparison, isNegated: boolean) => string;

const SCALARS: Readonly<Record<'text' | 'number' | 'boolean', ScalarSql>> = {
  text(path, comparison, isNegated) {
    const sql = comparedSql(textSql('text', path), comparison, isNegated, quoted);
    const numbers = asNumbers(comparison);
    return numbers ? `coalesce(${sql}, ${comparedSql(doubleSql(path), numbers, isNegated, numberSql)})` : sql;
  },
  number(path, comparison, isNegated) {
    const sql = comparedSql(doubleSql(path), comparison, isNegated, numberSql);
    if (!valuesOf(comparison).some((value) => isLargeInteger(value as number | bigint))) return sql;
    const exact = comparedSql(textSql('large', path), comparison, isNegated, (value) =>
      sqlText(numberKey(value as number | bigint)),
    );
    return `coalesce(${exact}, ${sql})`;
  },
  boolean: (path, comparison, isNegated) =>
    comparedSql(
      `json_get_bool(${META_FIELDS}, ${fieldKeySql('boolean', path)})`,
      comparison,
      isNegated,
      String,
    ),
};

function textSql(kind: FieldKind, path: readonly string[]): string {
  return `json_get_string(${META_FIELDS}, ${fieldKeySql(kind, path)})`;
}

function doubleSql(path: readonly string[]): string {
  return `json_get_float(${META_FIELDS}, ${fieldKeySql('number', path)})`;
}

function quoted(value: FilterValue): string {
  return sqlText(String(value).toWellFormed());
}

/** What equals a text among numbers that have no text, those of rows of before; undefined where none can. */
function asNumbers(comparison: Comparison): Comparison | undefined {
  if (comparison.kind === 'compare') {
    const { field, operator, value } = comparison;
    const isEqual = operator === '=' && isPlainNumber(value);
    return isEqual ? { kind: 'compare', field, operator, value: Number(value) } : undefined;
  }
  if (comparison.kind !== 'in') return undefined;
  const values = comparison.values.filter(isPlainNumber).map(Number);
  return values.length > 0 ? { ...comparison, values } : undefined;
}

function isPlainNumber(value: FilterValue): boolean {
  return typeof value === 'string' && isNumberText(value) && String(Number(value)) === value;
}

function valuesOf(comparison: Comparison): readonly FilterValue[] {
  switch (comparison.kind) {
    case 'compare':
      return [comparison.value];
    case 'between':
      return [comparison.low, comparison.high];
    case 'in':
      return comparison.values;
    case 'like':
      return [comparison.pattern];
  }
}
