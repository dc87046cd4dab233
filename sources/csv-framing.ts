import { blankLine, lineFrame } from './line-framing.ts';
import type { FindFrame, Frame } from './records.ts';
import type { CsvDialect } from './table-dialect.ts';

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const SPACE = 0x20;
const TAB = 0x09;

/** Where a row ends, `expected …, received …` if it cannot be told, undefined if the end is not in sight. */
type RowEnd = number | string | undefined;

const NOT_CLOSED = 'expected a closing quote, received the end of the file';
const AFTER_QUOTE = 'expected a delimiter or a line break after a closing quote, received other text';
const INSIDE_CELL =
  'expected quotes only around a whole cell, received one inside a cell (--plain-quotes reads quotes as text)';

/**
 * Finds the rows of a CSV file (RFC 4180) before csv-parse reads their cells.
 *
 * csv-parse alone cannot go on after a bad quote: with `skip_records_with_error` it stays inside the quotes after one
 * that closes in the middle of a cell, and swallows the rows up to the next quote, or the whole file into memory.
 * Here a row with a bad quote ends at its first line break, and reading goes on behind that.
 * It takes time linear in the file: a line that leaves a quote open also closes one left open before it.
 */
export function csvFraming({ delimiter, quoted, spaced }: CsvDialect): FindFrame {
  const separator = delimiter.charCodeAt(0);
  return (bytes, start, ended): Frame | undefined => {
    const blank = blankLine(bytes, start, ended);
    if (blank !== undefined) return blank;
    if (!quoted) return lineFrame(bytes, start, ended);
    const end = rowEnd(bytes, start, ended, separator, spaced);
    if (typeof end === 'number') return { end, lines: countLines(bytes, start, end) };
    return end === undefined ? undefined : lineFrame(bytes, start, ended, end);
  };
}

function rowEnd(bytes: Buffer, start: number, ended: boolean, separator: number, spaced: boolean): RowEnd {
  const length = bytes.length;
  for (let at = start; ; at++) {
    if (spaced) while (bytes[at] === SPACE || (bytes[at] === TAB && separator !== TAB)) at++;
    if (bytes[at] === QUOTE) {
      at = afterClosingQuote(bytes, at, ended);
      if (at === -1) return ended ? NOT_CLOSED : undefined;
      if (at < length && bytes[at] !== separator) return lineBreakEnd(bytes, at, ended);
    } else {
      // Byte by byte, because most cells are short: three searches cost more.
      for (; at < length && bytes[at] !== separator; at++) {
        if (bytes[at] === LF) return at + 1;
        if (bytes[at] === QUOTE) return INSIDE_CELL;
      }
    }
    if (at >= length) return ended ? length : undefined;
  }
}

/** The place behind the quote that closes the cell opened at `open`; -1 if it is not in sight. */
function afterClosingQuote(bytes: Buffer, open: number, ended: boolean): number {
  for (let at = open + 1; ; at += 2) {
    at = bytes.indexOf(QUOTE, at);
    if (at === -1) return -1;
    // At the end of the bytes it may be the first half of a doubled quote.
    if (at + 1 >= bytes.length) return ended ? at + 1 : -1;
    if (bytes[at + 1] !== QUOTE) return at + 1;
  }
}

function lineBreakEnd(bytes: Buffer, at: number, ended: boolean): RowEnd {
  if (bytes[at] === LF) return at + 1;
  if (bytes[at] !== CR) return AFTER_QUOTE;
  if (at + 1 >= bytes.length && !ended) return undefined;
  return bytes[at + 1] === LF ? at + 2 : AFTER_QUOTE;
}

function countLines(bytes: Buffer, start: number, end: number): number {
  let lines = 1;
  for (let at = bytes.indexOf(LF, start); at !== -1 && at < end - 1; at = bytes.indexOf(LF, at + 1)) lines++;
  return lines;
}
