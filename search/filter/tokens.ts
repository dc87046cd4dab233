import { VlmoError } from '#errors.ts';

export type FilterToken =
  /** A name or keyword as written, or the punctuation `( ) ,` and operators; `end` after the last. */
  | { readonly kind: 'word' | 'symbol' | 'end'; readonly text: string; readonly at: number }
  | { readonly kind: 'meta'; readonly text: string; readonly at: number; readonly path: readonly string[] }
  | { readonly kind: 'string'; readonly text: string; readonly at: number; readonly value: string }
  | { readonly kind: 'number'; readonly text: string; readonly at: number; readonly value: number | bigint };

/** Splits a filter into tokens; `at` is the place of the first character. Throws FILTER_INVALID. */
export function readTokens(filter: string): FilterToken[] {
  const tokens: FilterToken[] = [];
  for (let at = skipSpace(filter, 0); at < filter.length; ) {
    const token = readToken(filter, at);
    tokens.push(token);
    at = skipSpace(filter, at + token.text.length);
  }
  tokens.push({ kind: 'end', text: '', at: filter.length });
  return tokens;
}

/** The error of a filter that makes no sense at one place. */
export function filterError(filter: string, expected: string, received: string, at: number): VlmoError {
  const column = Array.from(filter.slice(0, at)).length + 1;
  const what = `expected ${expected}, received ${received} at column ${column}`;
  return new VlmoError('FILTER_INVALID', `Cannot read filter ${JSON.stringify(filter)}: ${what}`);
}

const WORD = /[\p{L}_][\p{L}\p{N}_]*/uy;
const META = /meta(?=\.)/iy;
const META_PART = /\.(?:([\p{L}\p{N}_]+)|"((?:[^"]|"")*)")/uy;
const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/iy;
const STRING = /'((?:[^']|'')*)'|"((?:[^"]|"")*)"/y;
const SPACE = /\s*/y;
const SYMBOL = /<=|>=|<>|!=|[=<>(),]/y;

function readToken(filter: string, at: number): FilterToken {
  if (match(META, filter, at)) return readMeta(filter, at);
  const word = match(WORD, filter, at);
  if (word) return { kind: 'word', text: word[0], at };
  const number = match(NUMBER, filter, at);
  if (number) return { kind: 'number', text: number[0], at, value: numberOf(filter, number[0], at) };
  const string = match(STRING, filter, at);
  if (string) return { kind: 'string', text: string[0], at, value: unquote(string[1], string[2]) };
  const symbol = match(SYMBOL, filter, at);
  if (symbol) return { kind: 'symbol', text: symbol[0], at };
  const quote = filter[at] === "'" || filter[at] === '"';
  if (quote) throw filterError(filter, 'a closing quote', 'the end', filter.length);
  const character = String.fromCodePoint(filter.codePointAt(at) ?? 0);
  throw filterError(filter, 'a column, a value or an operator', JSON.stringify(character), at);
}

/** `meta.a."odd key"`: after the dots, names or keys in double quotes. */
function readMeta(filter: string, at: number): FilterToken {
  const path: string[] = [];
  let end = at + 'meta'.length;
  for (let part = match(META_PART, filter, end); part; part = match(META_PART, filter, end)) {
    path.push(part[1] ?? unquote(undefined, part[2]));
    end += part[0].length;
  }
  if (filter[end] !== '.') return { kind: 'meta', text: filter.slice(at, end), at, path };
  const next = filter.codePointAt(end + 1);
  const received = next === undefined ? 'the end' : JSON.stringify(String.fromCodePoint(next));
  throw filterError(
    filter,
    'a field name after the dot (in double quotes where it is odd)',
    received,
    end + 1,
  );
}

function numberOf(filter: string, text: string, at: number): number | bigint {
  const value = Number(text);
  if (!Number.isFinite(value)) throw filterError(filter, 'a number of at most 1.8e308', text, at);
  const isWhole = /^[+-]?\d+$/.test(text);
  return isWhole && !Number.isSafeInteger(value) ? BigInt(text.replace('+', '')) : value;
}

function unquote(single: string | undefined, double: string | undefined): string {
  return single?.replaceAll("''", "'") ?? double?.replaceAll('""', '"') ?? '';
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function skipSpace(text: string, at: number): number {
  return at + (match(SPACE, text, at)?.[0].length ?? 0);
}
