import type { ItemKind } from '#store/contract.ts';
import type { Filter } from '#store/filter.ts';
import { readComparison } from './comparison.ts';
import { createFilterCursor } from './token-cursor.ts';

/**
 * Reads what a user wrote after `--where`; docs/search.md has the grammar:
 *
 *     width >= 640 AND (format IN ('jpeg', 'png') OR meta.license LIKE 'cc%') AND meta.size."odd key" IS NOT NULL
 *
 * Every name is looked up and every value has its type, so nothing of the text reaches a store as it was. Throws
 * FILTER_INVALID with the column of the first thing that is wrong.
 */
export function parseFilter(text: string, kind: ItemKind): Filter {
  const cursor = createFilterCursor(text);
  let [terms, values, wildcards] = [0, 0, 0];
  const filter = readOr(0);
  if (cursor.peek().kind !== 'end') throw cursor.unexpected('AND, OR or the end');
  return filter;

  function readOr(depth: number): Filter {
    const parts = [readAnd(depth)];
    while (cursor.takeWord('OR')) parts.push(readAnd(depth));
    return joined('or', parts);
  }

  function readAnd(depth: number): Filter {
    const parts = [readNot(depth)];
    while (cursor.takeWord('AND')) parts.push(readNot(depth));
    return joined('and', parts);
  }

  function readNot(depth: number): Filter {
    let isNegated = false;
    while (cursor.takeWord('NOT')) isNegated = !isNegated;
    const part = readGroup(depth);
    return isNegated ? { kind: 'not', part } : part;
  }

  function readGroup(depth: number): Filter {
    const start = cursor.peek();
    if (!cursor.takeSymbol('(')) {
      terms += 1;
      if (terms > MAX_TERMS) throw cursor.unexpected(`at most ${MAX_TERMS} comparisons`);
      const comparison = readComparison(cursor, kind);
      values += valuesOf(comparison);
      if (values > MAX_VALUES) throw cursor.wrong(`at most ${MAX_VALUES} values`, start);
      wildcards += wildcardsOf(comparison);
      if (wildcards > MAX_WILDCARDS)
        throw cursor.wrong(`at most ${MAX_WILDCARDS} % and _ in all patterns`, start);
      return comparison;
    }
    if (depth === MAX_DEPTH) throw cursor.wrong(`at most ${MAX_DEPTH} nested parentheses`, start);
    const filter = readOr(depth + 1);
    if (!cursor.takeSymbol(')')) throw cursor.unexpected('AND, OR or ")"');
    return filter;
  }
}

const MAX_DEPTH = 32;
const MAX_TERMS = 500;
const MAX_VALUES = 10_000;
/** In all patterns together: a store makes an automaton of each, and its size grows with them. */
const MAX_WILDCARDS = 1000;

function joined(kind: 'and' | 'or', parts: readonly Filter[]): Filter {
  const [only] = parts;
  return only && parts.length === 1 ? only : { kind, parts };
}

/** How many values a comparison, or its opposite, names. */
function valuesOf(comparison: Filter): number {
  if (comparison.kind === 'not') return valuesOf(comparison.part);
  return comparison.kind === 'in' ? comparison.values.length : 1;
}

/** How many `%` and `_` the pattern of a comparison, or of its opposite, has. */
function wildcardsOf(comparison: Filter): number {
  if (comparison.kind === 'not') return wildcardsOf(comparison.part);
  return comparison.kind === 'like' ? (comparison.pattern.match(/[%_]/g)?.length ?? 0) : 0;
}
