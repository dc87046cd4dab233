import type { FilterValue } from '#store/filter.ts';
import { numberKey } from '#store/number-text.ts';
import { type Comparison, NEGATED } from './compared-sql.ts';
import { fieldKeySql, META_FIELDS, SEPARATOR, toElement } from './meta-fields.ts';
import { sqlText } from './sql.ts';

/** Whether any element of a list compares so, or whether none does; NULL where there is no list with elements of the type. */
export function listSql(
  path: readonly string[],
  type: 'text' | 'number' | 'boolean',
  comparison: Comparison,
  isNegated: boolean,
): string {
  const joined = `json_get_string(${META_FIELDS}, ${fieldKeySql(`${type}s`, path)})`;
  const list = `string_to_array(${joined}, ${sqlText(SEPARATOR)})`;
  const element = (value: FilterValue): string =>
    sqlText(toElement(type === 'number' ? numberKey(value as number | bigint) : String(value)));
  const opposite = isNegated ? ' = false' : '';
  switch (comparison.kind) {
    case 'compare': {
      const { operator, value } = comparison;
      if (operator === '=') return `array_has(${list}, ${element(value)})${opposite}`;
      // Some element is less where the first is, the least.
      const most = `array_element(${list}, ${operator.startsWith('<') ? 1 : -1})`;
      return `${most} ${isNegated ? NEGATED[operator] : operator} ${element(value)}`;
    }
    case 'in':
      return `array_has_any(${list}, make_array(${comparison.values.map(element).join(', ')}))${opposite}`;
    case 'between': {
      const low = element(comparison.low);
      // The place that `low` takes among the elements is that of the least one from there on.
      const place = `array_position(array_sort(array_append(${list}, ${low})), ${low})`;
      const next = `array_element(${list}, CAST(${place} AS BIGINT))`;
      if (!isNegated) return `${next} <= ${element(comparison.high)}`;
      return `coalesce(${next} > ${element(comparison.high)}, ${joined} IS NOT NULL)`;
    }
    case 'like':
      return `regexp_like(${joined}, ${sqlText(elementPattern(comparison.pattern))})${opposite}`;
  }
}

/** A regular expression for a list that has an element like this. */
function elementPattern(pattern: string): string {
  const other = `[^${SEPARATOR}]`;
  const source = pattern.toWellFormed().replace(/\\(.)|%|_|./gsu, (part, escaped?: string) => {
    if (part === '%') return `${other}*`;
    if (part === '_') return other;
    return (escaped ?? part).replace(/[\\^$.*+?()[\]{}|#&~-]/, '\\$&');
  });
  return `(?:^|${SEPARATOR})=${source}(?:${SEPARATOR}|$)`;
}
