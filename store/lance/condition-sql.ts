import type { ColumnType, FilterCondition, FilterValue } from '#store/filter.ts';
import { toWellFormed } from '#well-formed.ts';
import { comparedSql, numberSql } from './compared-sql.ts';
import { metaConditionSql, metaValueSql } from './meta-condition-sql.ts';
import { sqlText } from './sql.ts';

/** What a column is in SQL. */
export type ColumnSql = (name: string) => string;

/** One condition, or its opposite, as SQL without any AND, OR or NOT. */
export function conditionSql(condition: FilterCondition, isNegated: boolean, column: ColumnSql): string {
  const { field } = condition;
  if (condition.kind === 'null') {
    const value = field.kind === 'column' ? column(field.name) : metaValueSql(field.path);
    return `${value} IS ${isNegated ? 'NOT NULL' : 'NULL'}`;
  }
  if (field.kind === 'meta') return metaConditionSql(field.path, condition, isNegated);
  // Lance compares a whole-number column with a whole number of its own size only: 2.5 would be an error.
  const sql = field.type === 'number' ? `CAST(${column(field.name)} AS DOUBLE)` : column(field.name);
  return comparedSql(sql, condition, isNegated, LITERALS[field.type]);
}

const LITERALS: Readonly<Record<ColumnType, (value: FilterValue) => string>> = {
  text: (value) => sqlText(toWellFormed(String(value))),
  number: numberSql,
  time: (value) => `timestamp ${sqlText((value as Date).toISOString().replace('T', ' ').replace('Z', ''))}`,
};
