import type { ItemKind } from '#store/contract.ts';
import type { Filter, FilterField, FilterOperator, FilterValue } from '#store/filter.ts';
import { readField } from './field.ts';
import type { FilterCursor } from './token-cursor.ts';
import { readList, readPattern, readValue } from './value.ts';

/** Reads one comparison, such as `width > 640`. */
export function readComparison(cursor: FilterCursor, kind: ItemKind): Filter {
  const start = cursor.peek();
  const { field, name } = readField(cursor, kind);
  if (cursor.takeWord('IS')) return readIsNull(cursor, field);
  const symbol = SYMBOLS.find(cursor.takeSymbol);
  if (symbol !== undefined) return compared(symbol, field, readValue(cursor, field, name, isOrder(symbol)));
  const isNegated = cursor.takeWord('NOT');
  const found = readWordOperator();
  if (!found) {
    const words = 'IN, LIKE or BETWEEN';
    throw cursor.unexpected(isNegated ? words : '=, !=, <, <=, >, >=, IN, LIKE, BETWEEN, IS or NOT');
  }
  return isNegated ? { kind: 'not', part: found } : found;

  function readWordOperator(): Filter | undefined {
    if (cursor.takeWord('LIKE')) {
      if (field.kind === 'column' && field.type !== 'text')
        throw cursor.wrong('a column of text before LIKE', start);
      return { kind: 'like', field, pattern: readPattern(cursor, field, name) };
    }
    if (cursor.takeWord('BETWEEN')) {
      const low = readValue(cursor, field, name, true);
      if (!cursor.takeWord('AND')) throw cursor.unexpected('AND between the two values');
      return { kind: 'between', field, low, high: readValue(cursor, field, name, true, low) };
    }
    if (cursor.takeWord('IN')) return { kind: 'in', field, values: readList(cursor, field, name) };
    return undefined;
  }
}

/** The longest first, so that a reader that tries them in turn never takes `<` for `<=`. */
const SYMBOLS = ['!=', '<>', '<=', '>=', '=', '<', '>'] as const;
type Symbol = (typeof SYMBOLS)[number];

function isOrder(symbol: Symbol): boolean {
  return symbol.startsWith('<') ? symbol !== '<>' : symbol.startsWith('>');
}

function compared(symbol: Symbol, field: FilterField, value: FilterValue): Filter {
  const isNot = symbol === '!=' || symbol === '<>';
  const operator: FilterOperator = isNot ? '=' : symbol;
  const part: Filter = { kind: 'compare', field, operator, value };
  return isNot ? { kind: 'not', part } : part;
}

function readIsNull(cursor: FilterCursor, field: FilterField): Filter {
  const isNegated = cursor.takeWord('NOT');
  if (!cursor.takeWord('NULL')) throw cursor.unexpected(isNegated ? 'NULL' : 'NULL or NOT NULL');
  const part: Filter = { kind: 'null', field };
  return isNegated ? { kind: 'not', part } : part;
}
