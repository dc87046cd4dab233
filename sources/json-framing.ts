import type { FindFrame, Frame } from './records.ts';

const LF = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What stands between the rows of an array, and around them. */
const BETWEEN: ReadonlySet<number | undefined> = new Set([...Buffer.from(' \t\r\n,[]')]);

/** One object of an array is one record: a JSON file of rows, in whatever lines. */
export const jsonFraming: FindFrame = (bytes, start, ended): Frame | undefined => {
  let at = start;
  while (BETWEEN.has(bytes[at])) at++;
  if (at > start) return { end: at, lines: countLines(bytes, start, at), blank: true };
  const end = bytes[at] === 0x7b ? nestedEnd(bytes, at) : wordEnd(bytes, at);
  if (end !== undefined) return { end, lines: countLines(bytes, start, end) };
  if (!ended) return undefined;
  const reason = 'expected an object that ends, received the end of the file in it';
  return { end: bytes.length, lines: countLines(bytes, start, bytes.length), reason };
};

/** The place behind a value of any kind, at least a byte on; undefined if it is not in sight. */
export function valueEnd(bytes: Buffer, start: number): number | undefined {
  if (bytes[start] === 0x7b || bytes[start] === 0x5b) return nestedEnd(bytes, start);
  if (bytes[start] === QUOTE) return wordEnd(bytes, start);
  for (let at = start + 1; at < bytes.length; at++)
    if (BETWEEN.has(bytes[at]) || bytes[at] === 0x7d) return at;
  return undefined;
}

/** The place behind the bracket that closes the object or array; undefined if it is not in sight. */
function nestedEnd(bytes: Buffer, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = stringEnd(bytes, at);
      if (at === -1) return undefined;
    } else if (byte === 0x7b || byte === 0x5b) depth++;
    else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) return at + 1;
  }
  return undefined;
}

/** The place of the quote that closes the string opened at `open`; -1 if it is not in sight. */
export function stringEnd(bytes: Buffer, open: number): number {
  for (let at = bytes.indexOf(QUOTE, open + 1); at !== -1; at = bytes.indexOf(QUOTE, at + 1)) {
    let backslashes = 0;
    while (bytes[at - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

/** The end of what is no object, and so no row. */
function wordEnd(bytes: Buffer, start: number): number | undefined {
  if (bytes[start] === QUOTE) {
    const end = stringEnd(bytes, start);
    return end === -1 ? undefined : end + 1;
  }
  for (let at = start; at < bytes.length; at++) if (BETWEEN.has(bytes[at])) return at;
  return undefined;
}

export function countLines(bytes: Buffer, start: number, end: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF, start); at !== -1 && at < end; at = bytes.indexOf(LF, at + 1)) lines++;
  return lines;
}
