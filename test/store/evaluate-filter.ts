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
  const isMeta = condition.field.kind === 'meta';
  const elements = isMeta && Array.isArray(value) ? value : [value];
  const candidates = elements.flatMap((element) => as(element, first, isMeta) ?? []);
  return candidates.length === 0 ? undefined : candidates.some((one) => holds(condition, one));
}

function holds(condition: Exclude<FilterCondition, { kind: 'null' }>, value: FilterValue): boolean {
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

/** A value as what it is compared with; undefined where it is nothing of that type. */
function as(value: unknown, like: FilterValue, isMeta: boolean): FilterValue | undefined {
  if (like instanceof Date) return value instanceof Date ? value : undefined;
  if (typeof like === 'boolean') return typeof value === 'boolean' ? value : undefined;
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  if (typeof like === 'string') return isMeta ? String(value) : (value as FilterValue);
  if (typeof value === 'number') return value;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value) || /^[+-]?0\d/.test(value)) return undefined;
  return /^[+-]?\d+$/.test(value) ? BigInt(value.replace('+', '')) : Number(value);
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

/** Texts by their code points. */
function compare(a: FilterValue, b: FilterValue): number {
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(String(b)));
  return a < b ? -1 : a > b ? 1 : 0;
}

function likePattern(pattern: string): RegExp {
  const source = pattern.replace(/\\(.)|%|_|./gsu, (part, escaped?: string) => {
    if (part === '%') return '.*';
    if (part === '_') return '.';
    return (escaped ?? part).replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
  });
  return new RegExp(`^${source}$`, 'su');
}
