import type { ItemKind } from '#store/contract.ts';
import {
  columnNames,
  columnOperand,
  type FilterOperand,
  type FilterValue,
  metaOperand,
} from './filter-operand.ts';
import { type FilterToken, filterError, readTokens } from './filter-tokens.ts';

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
  const tokens = readTokens(filter);
  let next = 0;
  let comparisons = 0;
  const sql = readOr(0);
  if (peek().kind !== 'end') throw unexpected('AND, OR or the end');
  return sql;

  function readOr(depth: number): string {
    const parts = [readAnd(depth)];
    while (takeWord('OR')) parts.push(readAnd(depth));
    return balanced(parts, 'OR');
  }

  function readAnd(depth: number): string {
    const parts = [readNot(depth)];
    while (takeWord('AND')) parts.push(readNot(depth));
    return balanced(parts, 'AND');
  }

  function readNot(depth: number): string {
    let negated = false;
    while (takeWord('NOT')) negated = !negated;
    const sql = readGroup(depth);
    return negated ? `(NOT ${sql})` : sql;
  }

  function readGroup(depth: number): string {
    const start = peek();
    if (!takeSymbol('(')) return readComparison();
    if (depth === MAX_DEPTH)
      throw filterError(filter, `at most ${MAX_DEPTH} levels of parentheses`, '"("', start.at);
    const sql = readOr(depth + 1);
    if (!takeSymbol(')')) throw unexpected('AND, OR or ")"');
    return sql;
  }

  function readComparison(): string {
    if (++comparisons > MAX_COMPARISONS) throw unexpected(`at most ${MAX_COMPARISONS} comparisons`);
    const operand = readOperand();
    if (takeWord('IS')) {
      const negated = takeWord('NOT');
      if (!takeWord('NULL')) throw unexpected(negated ? 'NULL' : 'NULL or NOT NULL');
      return negated ? `(NOT (${operand.isNull()}))` : `(${operand.isNull()})`;
    }
    const operator = OPERATORS.find(takeSymbol);
    if (operator !== undefined) {
      const ordered = !['=', '!=', '<>'].includes(operator);
      const value = readValue(operand, ordered ? 'ordered' : 'any');
      return `(${operand.sql(value.type)} ${operator} ${value.sql})`;
    }
    const not = takeWord('NOT') ? 'NOT ' : '';
    if (takeWord('LIKE')) {
      const { sql } = readValue(operand, 'text');
      return `(${operand.sql('string')} ${not}LIKE ${sql})`;
    }
    if (takeWord('BETWEEN')) {
      const low = readValue(operand, 'ordered');
      if (!takeWord('AND')) throw unexpected('AND between the two values');
      const high = readValue(operand, 'ordered', low.type);
      return `(${operand.sql(low.type)} ${not}BETWEEN ${low.sql} AND ${high.sql})`;
    }
    if (takeWord('IN')) {
      const { type, list } = readList(operand);
      return `(${operand.sql(type)} ${not}IN (${list.join(', ')}))`;
    }
    throw unexpected(not ? 'IN, LIKE or BETWEEN' : '=, !=, <, <=, >, >=, IN, LIKE, BETWEEN, IS or NOT');
  }

  function readOperand(): FilterOperand {
    const token = peek();
    if (token.kind !== 'word' && token.kind !== 'meta') throw unexpected('a column');
    const operand =
      token.kind === 'meta'
        ? metaOperand(token.text, token.path)
        : columnOperand(kind, token.text.toLowerCase());
    if (operand === undefined) {
      const field =
        RESERVED.has(token.text.toUpperCase()) || token.text.toLowerCase() === 'meta' ? 'NAME' : token.text;
      throw unexpected(`a column (${columnNames(kind).join(', ')}) or meta.${field}`);
    }
    next += 1;
    return operand;
  }

  function readList(operand: FilterOperand): { type: ValueType; list: string[] } {
    if (!takeSymbol('(')) throw unexpected('"("');
    const first = readValue(operand, 'any');
    const list = [first.sql];
    while (takeSymbol(',')) list.push(readValue(operand, 'any', first.type).sql);
    if (!takeSymbol(')')) throw unexpected('"," or ")"');
    return { type: first.type, list };
  }

  /** A value that fits the operand, the operator (`use`), and the values before it (`like`). */
  function readValue(operand: FilterOperand, use: 'any' | 'ordered' | 'text', like?: ValueType) {
    const token = peek();
    const value = tokenValue(token);
    if (value === undefined) throw unexpected('a text in quotes, a number, true or false');
    const type = typeof value as ValueType;
    const wanted = operand.type === undefined ? like : operand.type === 'number' ? 'number' : 'string';
    if (use === 'text' && operand.type !== undefined && operand.type !== 'text') {
      throw filterError(
        filter,
        `a column of text before LIKE`,
        operand.name,
        tokens[next - 2]?.at ?? token.at,
      );
    }
    if ((use === 'text' && type !== 'string') || (wanted !== undefined && type !== wanted)) {
      throw unexpected(`${VALUE_NAMES[wanted ?? 'string']} for ${operand.name}`);
    }
    if (use === 'ordered' && type === 'boolean')
      throw unexpected(`a text in quotes or a number for ${operand.name}`);
    const sql = operand.literal(value);
    if (sql === undefined)
      throw unexpected(`a date such as '2024-05-06' or '2024-05-06T07:08:09Z' for ${operand.name}`);
    next += 1;
    return { type, sql };
  }

  function peek(): FilterToken {
    return tokens[next] as FilterToken; // the last token is 'end', which nothing takes
  }

  function takeWord(keyword: string): boolean {
    const token = peek();
    if (token.kind !== 'word' || token.text.toUpperCase() !== keyword) return false;
    next += 1;
    return true;
  }

  function takeSymbol(symbol: string): boolean {
    const token = peek();
    if (token.kind !== 'symbol' || token.text !== symbol) return false;
    next += 1;
    return true;
  }

  function unexpected(expected: string) {
    const token = peek();
    return filterError(
      filter,
      expected,
      token.kind === 'end' ? 'the end' : JSON.stringify(token.text),
      token.at,
    );
  }
}

type ValueType = 'string' | 'number' | 'boolean';

const OPERATORS = ['=', '!=', '<>', '<=', '<', '>=', '>'];
const RESERVED = new Set(['AND', 'OR', 'NOT', 'IN', 'LIKE', 'BETWEEN', 'IS', 'NULL', 'TRUE', 'FALSE']);
const VALUE_NAMES = { string: 'a text in quotes', number: 'a number', boolean: 'true or false' };
/** Deep trees overflow the stack of the store's own parser, which would end the process. */
const MAX_DEPTH = 100;
const MAX_COMPARISONS = 1000;

function tokenValue(token: FilterToken): FilterValue | undefined {
  if (token.kind === 'string' || token.kind === 'number') return token.value;
  if (token.kind !== 'word') return undefined;
  const word = token.text.toLowerCase();
  return word === 'true' ? true : word === 'false' ? false : undefined;
}

/** a OR b OR c OR d as ((a OR b) OR (c OR d)): a long chain must not become a deep tree. */
function balanced(parts: readonly string[], operator: 'AND' | 'OR'): string {
  if (parts.length <= 2) return parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(` ${operator} `)})`;
  const middle = parts.length >> 1;
  return `(${balanced(parts.slice(0, middle), operator)} ${operator} ${balanced(parts.slice(middle), operator)})`;
}
