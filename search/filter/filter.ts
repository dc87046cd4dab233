import type { ItemKind } from '#store/contract.ts';
import { readComparison } from './comparison.ts';
import { type Condition, join } from './condition.ts';
import { createFilterCursor } from './token-cursor.ts';
import { filterError } from './tokens.ts';

/**
 * Turns what a user wrote after `--where` into the store's SQL:
 *
 *     width >= 640 AND (format IN ('jpeg', 'png') OR meta.license LIKE 'cc%') AND meta.size."odd key" IS NOT NULL
 *
 * - Columns are compared with `= != <> < <= > >=`, `[NOT] IN (…)`, `[NOT] LIKE '…'` (`%` any text, `_` one
 *   character, `\` takes the next as it is), `[NOT] BETWEEN … AND …`, `IS [NOT] NULL`; joined by `AND`, `OR`,
 *   `NOT` and parentheses. Texts stand in single or double quotes, a quote inside is doubled.
 * - `indexed_at` is compared with a date or time in quotes: '2024-05-06', '2024-05-06T07:08:09Z'.
 * - A field of `meta` is compared as what it is compared with: `meta.n > 5` finds numbers only, `meta.n = '5'`
 *   texts only. A comparison, `!=` and `NOT …` among them, never finds an item that lacks the field or has it in
 *   another type; only `IS NULL` does (a list or an object counts as there, but equals nothing).
 *
 * Every name is looked up and every value quoted again, so nothing of the text reaches the store as it was.
 * Throws FILTER_INVALID with the column of the first thing that is wrong.
 */
export function compileFilter(filter: string, kind: ItemKind): string {
  const cursor = createFilterCursor(filter);
  let comparisons = 0;
  const { sql, levels } = readOr(0, false);
  if (cursor.peek().kind !== 'end') throw cursor.unexpected('AND, OR or the end');
  if (levels > MAX_LEVELS) {
    throw filterError(filter, `at most ${MAX_LEVELS} levels of OR inside AND`, `${levels} levels`, 0);
  }
  return sql;

  /** `negated`: the conditions stand below an odd number of NOTs. */
  function readOr(depth: number, negated: boolean): Condition {
    const parts = [readAnd(depth, negated)];
    while (cursor.takeWord('OR')) parts.push(readAnd(depth, negated));
    return join(parts, negated ? 'AND' : 'OR');
  }

  function readAnd(depth: number, negated: boolean): Condition {
    const parts = [readNot(depth, negated)];
    while (cursor.takeWord('AND')) parts.push(readNot(depth, negated));
    return join(parts, negated ? 'OR' : 'AND');
  }

  function readNot(depth: number, negated: boolean): Condition {
    let flipped = negated;
    while (cursor.takeWord('NOT')) flipped = !flipped;
    return readGroup(depth, flipped);
  }

  function readGroup(depth: number, negated: boolean): Condition {
    const start = cursor.peek();
    if (!cursor.takeSymbol('(')) {
      comparisons += 1;
      if (comparisons > MAX_COMPARISONS) throw cursor.unexpected(`at most ${MAX_COMPARISONS} comparisons`);
      return readComparison(cursor, kind, negated);
    }
    if (depth === MAX_DEPTH) throw cursor.wrong(`at most ${MAX_DEPTH} nested parentheses`, start);
    const condition = readOr(depth + 1, negated);
    if (!cursor.takeSymbol(')')) throw cursor.unexpected('AND, OR or ")"');
    return condition;
  }
}

/** Of the text: it is read recursively. */
const MAX_DEPTH = 100;
/** Of the SQL: the store's parser gives up at 16. */
const MAX_LEVELS = 12;
/** Half a second of planning in the store at twice as many. */
const MAX_COMPARISONS = 500;
