import type { VlmoError } from '#errors.ts';
import { type FilterToken, filterError, readTokens } from './tokens.ts';

/** A place in the tokens of a filter. */
export interface FilterCursor {
  peek(): FilterToken;
  /** Goes behind the token that `peek` gives. */
  advance(): void;
  /** Goes behind a keyword, in any case, if it is next. */
  takeWord(keyword: string): boolean;
  takeSymbol(symbol: string): boolean;
  /** The error that something else was expected than `peek` gives. */
  unexpected(expected: string): VlmoError;
  /** The error that something else was expected at a token that was read already. */
  wrong(expected: string, token: FilterToken): VlmoError;
}

export function createFilterCursor(filter: string): FilterCursor {
  const tokens = readTokens(filter);
  let next = 0;

  const cursor: FilterCursor = {
    peek: () => tokens[next] as FilterToken, // the last token is 'end', which nothing takes
    advance() {
      next += 1;
    },
    takeWord: (keyword) => takeIf((token) => token.kind === 'word' && token.text.toUpperCase() === keyword),
    takeSymbol: (symbol) => takeIf((token) => token.kind === 'symbol' && token.text === symbol),
    unexpected: (expected) => cursor.wrong(expected, cursor.peek()),
    wrong(expected, { kind, text, at }) {
      return filterError(filter, expected, kind === 'end' ? 'the end' : JSON.stringify(text), at);
    },
  };
  return cursor;

  function takeIf(wanted: (token: FilterToken) => boolean): boolean {
    const found = wanted(cursor.peek());
    if (found) next += 1;
    return found;
  }
}
