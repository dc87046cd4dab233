import type { Filter, FilterCondition, FilterField, FilterValue } from '#store/contract.ts';

/** Whether a row comes through a filter, by the definition in `store/filter.ts`. */
export function passes(filter: Filter, row: object): boolean {
  return evaluate(filter, row) === true;
}

/** Undefined is unknown. */
function evaluate(filter: Filter, row: object): boolean | undefined {
  if (filter.kind === 'not') {
    const value = evaluate(filter.part, row);
    return value === undefined ? undefined : !value;
  }
  if ('parts' in filter) {
    const values = filter.parts.map((part) => evaluate(part, row));
    const decides = filter.kind === 'or';
    if (values.includes(decides)) return decides;
    return values.includes(undefined) ? undefined : !decides;
  }
  return test(filter, row);
}

function test(condition: FilterCondition, row: object): boolean | undefined {
  const value = fieldValue(condition.field, row);
  if (condition.kind === 'null') return value === undefined || value === null;
  const [first] = operands(condition);
  if (first === undefined) return false;
  if (!isSameType(value, first)) return undefined;
  switch (condition.kind) {
    case 'compare': {
      const order = compare(value, condition.value);
      return { '=': order === 0, '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[
        condition.operator
      ];
    }
    case 'between':
      return compare(value, condition.low) >= 0 && compare(value, condition.high) <= 0;
    case 'in':
      return condition.values.some((one) => compare(value, one) === 0);
    case 'like':
      return likePattern(condition.pattern).test(String(value));
  }
}

function operands(condition: Exclude<FilterCondition, { kind: 'null' }>): readonly FilterValue[] {
  if (condition.kind === 'in') return condition.values;
  if (condition.kind === 'between') return [condition.low];
  return [condition.kind === 'like' ? condition.pattern : condition.value];
}

function fieldValue(field: FilterField, row: object): unknown {
  const values = row as Readonly<Record<string, unknown>>;
  if (field.kind === 'column') return values[CAMEL_CASE[field.name] ?? field.name];
  return field.path.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined,
    values.meta,
  );
}

const CAMEL_CASE: Readonly<Record<string, string>> = { image_id: 'imageId', indexed_at: 'indexedAt' };

function isSameType(value: unknown, like: FilterValue): value is FilterValue {
  return like instanceof Date ? value instanceof Date : typeof value === typeof like;
}

/** Texts by their code points. */
function compare(a: FilterValue, b: FilterValue): number {
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(String(b)));
  return Number(a) - Number(b);
}

function likePattern(pattern: string): RegExp {
  const source = pattern.replace(/\\(.)|%|_|./gsu, (part, escaped?: string) => {
    if (part === '%') return '.*';
    if (part === '_') return '.';
    return (escaped ?? part).replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
  });
  return new RegExp(`^${source}$`, 'su');
}
