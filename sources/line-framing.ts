import type { FindFrame, Frame } from './records.ts';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

/** One line is one record: JSON Lines. */
export const lineFraming: FindFrame = (bytes, start, ended) =>
  blankLine(bytes, start, ended, TAB) ?? lineFrame(bytes, start, ended);

/** The line at `start` as a record; undefined if its end is not in sight. */
export function lineFrame(bytes: Buffer, start: number, ended: boolean, reason?: string): Frame | undefined {
  const lineEnd = bytes.indexOf(LF, start);
  if (lineEnd === -1 && !ended) return undefined;
  return { end: lineEnd === -1 ? bytes.length : lineEnd + 1, lines: 1, reason };
}

/** The line at `start` if it is blank: nothing but spaces, or `alsoBlank`. */
export function blankLine(
  bytes: Buffer,
  start: number,
  ended: boolean,
  alsoBlank = SPACE,
): Frame | undefined {
  let at = start;
  while (bytes[at] === SPACE || bytes[at] === CR || bytes[at] === alsoBlank) at++;
  if (bytes[at] === LF) return { end: at + 1, lines: 1, blank: true };
  return at === bytes.length && ended ? { end: at, lines: 1, blank: true } : undefined;
}
