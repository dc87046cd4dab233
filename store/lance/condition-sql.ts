import type { ColumnType, FilterCondition, FilterValue } from '#store/filter.ts';
import { toWellFormed } from '#well-formed.ts';
import { comparedSql, numberSql } from './compared-sql.ts';
import { metaConditionSql, metaValueSql } from './meta-condition-sql.ts';
import { sqlText } from './sql.ts';

/** One condition, or its opposite, as SQL without any AND, OR or NOT. */
export function conditionSql(condition: FilterCondition, isNegated: boolean): string {
  const { field } = condition;
  if (condition.kind === 'null') {
    const value = field.kind === 'column' ? field.name : metaValueSql(field.path);
    return `${value} IS ${isNegated ? 'NOT NULL' : 'NULL'}`;
  }
  if (field.kind === 'meta') return metaConditionSql(field.path, condition, isNegated);
  // Lance compares a whole-number column with a whole number of its own size only: 2.5 would be an error.
  const sql = field.type === 'number' ? `CAST(${field.name} AS DOUBLE)` : field.name;
  return comparedSql(sql, condition, isNegated, LITERALS[field.type]);
}

const LITERALS: Readonly<Record<ColumnType, (value: FilterValue) => string>> = {
  text: (value) => sqlText(toWellFormed(String(value))),
  number: numberSql,
  time: (value) => `timestamp ${sqlText((value as Date).toISOString().replace('T', ' ').replace('Z', ''))}`,
};
