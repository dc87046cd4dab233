import type { ItemKind } from '#store/contract.ts';
import { COMPARISON_OPERATORS, type Condition, comparison, join, negatedOperator } from './condition.ts';
import { columnNames, columnOperand, type FilterOperand, type FilterValue, metaOperand } from './operand.ts';
import type { FilterCursor } from './token-cursor.ts';
import type { FilterToken } from './tokens.ts';

/** Reads one comparison, such as `width > 640`; `negated` gives its opposite. */
export function readComparison(cursor: FilterCursor, kind: ItemKind, negated: boolean): Condition {
  const start = cursor.peek();
  const operand = readOperand(cursor, kind);
  if (cursor.takeWord('IS')) return readIsNull(cursor, operand, negated);
  const operator = COMPARISON_OPERATORS.find(cursor.takeSymbol);
  if (operator !== undefined) {
    const value = readValue(cursor, operand, EQUALITY.includes(operator) ? 'any' : 'ordered');
    const written = negated ? negatedOperator(operator) : operator;
    return comparison(`${operand.sql(value.type)} ${written} ${value.sql}`);
  }
  const not = cursor.takeWord('NOT');
  const prefix = not !== negated ? 'NOT ' : '';
  if (cursor.takeWord('LIKE')) {
    if (operand.type !== undefined && operand.type !== 'text') {
      throw cursor.wrong('a column of text before LIKE', start);
    }
    const pattern = readValue(cursor, operand, 'any', 'string');
    return comparison(`${operand.sql('string')} ${prefix}LIKE ${pattern.sql}`);
  }
  if (cursor.takeWord('BETWEEN')) {
    const low = readValue(cursor, operand, 'ordered');
    if (!cursor.takeWord('AND')) throw cursor.unexpected('AND between the two values');
    const high = readValue(cursor, operand, 'ordered', low.type);
    return comparison(`${operand.sql(low.type)} ${prefix}BETWEEN ${low.sql} AND ${high.sql}`);
  }
  if (cursor.takeWord('IN')) {
    const { type, list } = readList(cursor, operand);
    return comparison(`${operand.sql(type)} ${prefix}IN (${list.join(', ')})`);
  }
  throw cursor.unexpected(not ? 'IN, LIKE or BETWEEN' : '=, !=, <, <=, >, >=, IN, LIKE, BETWEEN, IS or NOT');
}

function readOperand(cursor: FilterCursor, kind: ItemKind): FilterOperand {
  const token = cursor.peek();
  if (token.kind !== 'word' && token.kind !== 'meta') throw cursor.unexpected('a column');
  const operand =
    token.kind === 'meta'
      ? metaOperand(token.text, token.path)
      : columnOperand(kind, token.text.toLowerCase());
  if (operand === undefined) {
    const field = RESERVED.has(token.text.toUpperCase()) ? 'NAME' : token.text;
    throw cursor.unexpected(`a column (${columnNames(kind).join(', ')}) or meta.${field}`);
  }
  cursor.advance();
  return operand;
}

const EQUALITY: readonly string[] = ['=', '!=', '<>'];
const RESERVED = new Set([
  'AND',
  'OR',
  'NOT',
  'IN',
  'LIKE',
  'BETWEEN',
  'IS',
  'NULL',
  'TRUE',
  'FALSE',
  'META',
]);

function readIsNull(cursor: FilterCursor, operand: FilterOperand, negated: boolean): Condition {
  const not = cursor.takeWord('NOT');
  if (!cursor.takeWord('NULL')) throw cursor.unexpected(not ? 'NULL' : 'NULL or NOT NULL');
  const absent = not === negated;
  const tests = operand.presence.map((sql) => comparison(`${sql} IS ${absent ? 'NULL' : 'NOT NULL'}`));
  return join(tests, absent ? 'AND' : 'OR');
}

type ValueType = 'string' | 'number' | 'boolean';

interface Value {
  readonly type: ValueType;
  readonly sql: string;
}

/** A value that fits the operand and, where one is given, a type; `ordered` ones can be more or less. */
function readValue(
  cursor: FilterCursor,
  operand: FilterOperand,
  use: 'any' | 'ordered',
  like?: ValueType,
): Value {
  const value = tokenValue(cursor.peek());
  if (value === undefined) throw cursor.unexpected('a text in quotes, a number, true or false');
  const type = typeof value as ValueType;
  const wanted = operand.type === undefined ? like : operand.type === 'number' ? 'number' : 'string';
  if (wanted !== undefined && type !== wanted) {
    throw cursor.unexpected(`${VALUE_NAMES[wanted]} for ${operand.name}`);
  }
  if (use === 'ordered' && type === 'boolean') {
    throw cursor.unexpected(`a text in quotes or a number for ${operand.name}`);
  }
  const sql = operand.literal(value);
  if (sql === undefined) {
    throw cursor.unexpected(`a date such as '2024-05-06' or '2024-05-06T07:08:09Z' for ${operand.name}`);
  }
  cursor.advance();
  return { type, sql };
}

const VALUE_NAMES = { string: 'a text in quotes', number: 'a number', boolean: 'true or false' };

/** `('a', 'b')`: values of one type. */
function readList(
  cursor: FilterCursor,
  operand: FilterOperand,
): { readonly type: ValueType; readonly list: readonly string[] } {
  if (!cursor.takeSymbol('(')) throw cursor.unexpected('"("');
  const first = readValue(cursor, operand, 'any');
  const list = [first.sql];
  while (cursor.takeSymbol(',')) list.push(readValue(cursor, operand, 'any', first.type).sql);
  if (!cursor.takeSymbol(')')) throw cursor.unexpected('"," or ")"');
  return { type: first.type, list };
}

function tokenValue(token: FilterToken): FilterValue | undefined {
  if (token.kind === 'string' || token.kind === 'number') return token.value;
  if (token.kind !== 'word') return undefined;
  const word = token.text.toLowerCase();
  return word === 'true' ? true : word === 'false' ? false : undefined;
}
