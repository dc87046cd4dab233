import type { FilterField, FilterValue } from '#store/filter.ts';
import type { FilterCursor } from './token-cursor.ts';
import type { FilterToken } from './tokens.ts';

/**
 * Reads a value that fits a field and, where one is given, is of the type of another; of one that `isOrdered` it can be
 * said that it is more or less.
 */
export function readValue(
  cursor: FilterCursor,
  field: FilterField,
  name: string,
  isOrdered: boolean,
  like?: FilterValue,
): FilterValue {
  const value = tokenValue(cursor.peek());
  if (value === undefined) throw cursor.unexpected('a text in quotes, a number, true or false');
  const wanted = wantedType(field, like);
  if (wanted !== undefined && typeName(value) !== wanted) {
    throw cursor.unexpected(`${TYPE_NAMES[wanted]} for ${name}`);
  }
  if (isOrdered && typeof value === 'boolean') {
    throw cursor.unexpected(`a text in quotes or a number for ${name}`);
  }
  if (field.kind === 'meta' || field.type !== 'time') {
    cursor.advance();
    return value;
  }
  const time = parseTime(String(value));
  if (!time) throw cursor.unexpected(`a date such as '2024-05-06' or '2024-05-06T07:08:09Z' for ${name}`);
  cursor.advance();
  return time;
}

/** Stores make automata of patterns, whose size grows with these. */
const MAX_PATTERN = 1000;

/** Reads the text behind LIKE. */
export function readPattern(cursor: FilterCursor, field: FilterField, name: string): string {
  const token = cursor.peek();
  const pattern = String(readValue(cursor, field, name, false, ''));
  if (pattern.length > MAX_PATTERN) {
    throw cursor.wrong(`a pattern of at most ${MAX_PATTERN} characters for ${name}`, token);
  }
  return pattern;
}

/** Reads `('a', 'b')`: values of one type. */
export function readList(cursor: FilterCursor, field: FilterField, name: string): FilterValue[] {
  if (!cursor.takeSymbol('(')) throw cursor.unexpected('"("');
  const first = readValue(cursor, field, name, false);
  const values = [first];
  while (cursor.takeSymbol(',')) values.push(readValue(cursor, field, name, false, first));
  if (!cursor.takeSymbol(')')) throw cursor.unexpected('"," or ")"');
  return values;
}

type ValueType = 'string' | 'number' | 'boolean';

const TYPE_NAMES = { string: 'a text in quotes', number: 'a number', boolean: 'true or false' };

/** Undefined where any type will do: a field of `meta` has the type that it is compared as. */
function wantedType(field: FilterField, like: FilterValue | undefined): ValueType | undefined {
  if (field.kind === 'column') return field.type === 'number' ? 'number' : 'string';
  return like === undefined ? undefined : typeName(like);
}

function typeName(value: FilterValue): ValueType {
  if (typeof value === 'string' || typeof value === 'boolean') return typeof value as ValueType;
  return 'number';
}

function tokenValue(token: FilterToken): string | number | bigint | boolean | undefined {
  if (token.kind === 'string' || token.kind === 'number') return token.value;
  if (token.kind !== 'word') return undefined;
  const word = token.text.toLowerCase();
  return word === 'true' ? true : word === 'false' ? false : undefined;
}

/** Undefined where it is none; without a zone it is UTC, as everything stored is. */
function parseTime(text: string): Date | undefined {
  const parts =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)\s*(Z|[+-]\d{2}:\d{2})?)?$/i.exec(text);
  if (!parts) return undefined;
  const [, date, time = '00:00', zone = 'Z'] = parts;
  const moment = new Date(`${date}T${time}${zone.toUpperCase()}`);
  return Number.isNaN(moment.getTime()) ? undefined : moment;
}
