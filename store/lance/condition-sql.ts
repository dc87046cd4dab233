import type { FilterCondition, FilterField, FilterOperator, FilterValue } from '#store/filter.ts';
import { toWellFormed } from '#well-formed.ts';
import { type MetaType, metaFieldSql, metaPresenceSql } from './meta-fields.ts';
import { sqlText } from './sql.ts';

/** SQL conditions and what joins them; one alone is joined by nothing. */
export interface ConditionSql {
  readonly operator: 'AND' | 'OR';
  readonly parts: readonly string[];
}

/** One condition, or its opposite, as SQL without any AND, OR or NOT around it. */
export function conditionSql(condition: FilterCondition, isNegated: boolean): ConditionSql {
  if (condition.kind === 'null') return presenceSql(condition.field, isNegated);
  return { operator: 'AND', parts: [comparisonSql(condition, isNegated)] };
}

function comparisonSql(condition: Exclude<FilterCondition, { kind: 'null' }>, isNegated: boolean): string {
  const { field } = condition;
  const not = isNegated ? 'NOT ' : '';
  switch (condition.kind) {
    case 'compare': {
      const operator = isNegated ? NEGATED[condition.operator] : condition.operator;
      return `${fieldSql(field, condition.value)} ${operator} ${literal(field, condition.value)}`;
    }
    case 'between': {
      const [low, high] = [literal(field, condition.low), literal(field, condition.high)];
      return `${fieldSql(field, condition.low)} ${not}BETWEEN ${low} AND ${high}`;
    }
    case 'in': {
      const [first] = condition.values;
      // SQL has no empty list; nothing is in it.
      if (first === undefined) return isNegated ? 'true' : 'false';
      const list = condition.values.map((value) => literal(field, value));
      return `${fieldSql(field, first)} ${not}IN (${list.join(', ')})`;
    }
    case 'like':
      return `${fieldSql(field, condition.pattern)} ${not}LIKE ${literal(field, condition.pattern)}`;
  }
}

const NEGATED: Readonly<Record<FilterOperator, string>> = {
  '=': '!=',
  '<': '>=',
  '>=': '<',
  '>': '<=',
  '<=': '>',
};

function presenceSql(field: FilterField, isNegated: boolean): ConditionSql {
  const values = field.kind === 'column' ? [field.name] : metaPresenceSql(field.path);
  const parts = values.map((sql) => `${sql} IS ${isNegated ? 'NOT NULL' : 'NULL'}`);
  return { operator: isNegated ? 'OR' : 'AND', parts };
}

/** The SQL of a field's value, to be compared with values of the type of this one. */
function fieldSql(field: FilterField, value: FilterValue): string {
  if (field.kind === 'meta') return metaFieldSql(field.path, typeof value as MetaType);
  // Lance compares a whole-number column with a whole number of its own size only: 2.5 would be an error.
  return field.type === 'number' ? `CAST(${field.name} AS DOUBLE)` : field.name;
}

function literal(field: FilterField, value: FilterValue): string {
  if (typeof value === 'string') {
    return sqlText(field.kind === 'column' ? toWellFormed(value) : value.toWellFormed());
  }
  if (typeof value === 'boolean') return String(value);
  if (value instanceof Date)
    return `timestamp ${sqlText(value.toISOString().replace('T', ' ').replace('Z', ''))}`;
  // Always a float: Lance reads bare digits as a 64-bit whole number, which large ones are not.
  return /^-?\d+$/.test(String(value)) ? `${value}.0` : String(value);
}
