import type { FilterCondition, FilterOperator, FilterValue } from '#store/filter.ts';

export type Comparison = Exclude<FilterCondition, { kind: 'null' }>;

/** A comparison of an SQL value, or its opposite, without any NOT around it. `literal` writes the values. */
export function comparedSql(
  sql: string,
  comparison: Comparison,
  isNegated: boolean,
  literal: (value: FilterValue) => string,
): string {
  const not = isNegated ? 'NOT ' : '';
  switch (comparison.kind) {
    case 'compare': {
      const operator = isNegated ? NEGATED[comparison.operator] : comparison.operator;
      return `${sql} ${operator} ${literal(comparison.value)}`;
    }
    case 'between':
      return `${sql} ${not}BETWEEN ${literal(comparison.low)} AND ${literal(comparison.high)}`;
    case 'in':
      // SQL has no empty list; nothing is in it.
      if (comparison.values.length === 0) return String(isNegated);
      return `${sql} ${not}IN (${comparison.values.map(literal).join(', ')})`;
    case 'like':
      return `${sql} ${not}LIKE ${literal(comparison.pattern)}`;
  }
}

export const NEGATED: Readonly<Record<FilterOperator, string>> = {
  '=': '!=',
  '<': '>=',
  '>=': '<',
  '>': '<=',
  '<=': '>',
};

/** A number as SQL. Always a float: Lance reads bare digits as a 64-bit whole number, which large ones are not. */
export function numberSql(value: FilterValue): string {
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
