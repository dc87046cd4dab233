import { countLines, stringEnd, valueEnd } from './json-framing.ts';
import type { FindFrame, Frame } from './records.ts';

/** Keys of an object whose arrays hold rows: Karpathy's splits have `images`, COCO has `annotations` beside them. */
const TABLES: readonly (string | undefined)[] = ['images', 'annotations'];
const SPACE: ReadonlySet<number | undefined> = new Set([...Buffer.from(' \t\r\n')]);
const SPACE_OR_COMMA: ReadonlySet<number | undefined> = new Set([...SPACE, 0x2c]);
const CUT = 'expected an object that ends, received the end of the file in it';

/** Where reading stands: before the object, between its keys, in an array of rows or in another one, behind the object. */
type Place = 'before' | 'keys' | 'rows' | 'others' | 'after';

interface Step {
  readonly end: number;
  readonly place: Place;
  readonly isRow?: boolean;
  readonly key?: string;
  readonly reason?: string;
}

/** Finds the rows in the arrays of one object; its other values are passed over. To be used for one reading. */
export function wrappedFraming(): FindFrame {
  let place: Place = 'before';
  return (bytes, start, ended): Frame | undefined => {
    const step = nextStep(bytes, start, place);
    // One byte more is looked for, so that a file that is cut between two rows is told from one that ends.
    const isWhole = step !== undefined && (step.end < bytes.length || step.place === 'after');
    if (!isWhole && !ended) return undefined;
    const { end, isRow = false, reason } = isWhole ? step : { end: bytes.length, reason: CUT };
    if (isWhole) place = step.place;
    return { end, lines: countLines(bytes, start, end), reason, blank: !isRow && reason === undefined };
  };
}

/** Whether these first bytes of a file begin an object with an array of rows, and not one that is a row of a picture itself. */
export function isWrapped(head: Buffer, imageColumns: readonly string[]): boolean {
  let step: Step | undefined = { end: 0, place: 'before' };
  do {
    step = nextStep(head, step.end, step.place);
    if (step?.reason !== undefined) return false;
    if (step?.key !== undefined && imageColumns.includes(step.key.toLowerCase())) return false;
  } while (step !== undefined && step.place !== 'rows' && step.place !== 'after');
  if (step?.place !== 'rows') return false;
  const first = head[past(SPACE, head, step.end)];
  return first === 0x7b || first === 0x5d;
}

/** What comes next; undefined where its end is not in sight. */
function nextStep(bytes: Buffer, start: number, place: Place): Step | undefined {
  const at = past(place === 'before' || place === 'after' ? SPACE : SPACE_OR_COMMA, bytes, start);
  if (at > start) return { end: at, place };
  if (place === 'keys') return keyStep(bytes, at);
  if (place === 'before' && bytes[at] === 0x7b) return { end: at + 1, place: 'keys' };
  if (bytes[at] === 0x5d && (place === 'rows' || place === 'others')) return { end: at + 1, place: 'keys' };
  const end = valueEnd(bytes, at);
  if (end === undefined) return undefined;
  if (place === 'rows' || place === 'others') return { end, place, isRow: place === 'rows' };
  return { end, place, reason: 'expected one JSON object in the file, received something beside it' };
}

function keyStep(bytes: Buffer, start: number): Step | undefined {
  if (bytes[start] === 0x7d) return { end: start + 1, place: 'after' };
  const place = 'keys';
  if (bytes[start] !== 0x22) {
    const end = valueEnd(bytes, start);
    return end === undefined ? undefined : { end, place, reason: 'expected a key, received something else' };
  }
  const quote = stringEnd(bytes, start);
  if (quote === -1) return undefined;
  const key = bytes.toString('utf8', start + 1, quote);
  const colon = past(SPACE, bytes, quote + 1);
  const value = past(SPACE, bytes, colon + 1);
  if (value >= bytes.length) return undefined;
  if (bytes[colon] !== 0x3a)
    return { end: colon, place, reason: 'expected a ":" behind a key, received something else' };
  if (bytes[value] === 0x5b) return { end: value + 1, place: TABLES.includes(key) ? 'rows' : 'others', key };
  const end = valueEnd(bytes, value);
  return end === undefined ? undefined : { end, place, key };
}

function past(passed: ReadonlySet<number | undefined>, bytes: Buffer, start: number): number {
  let at = start;
  while (passed.has(bytes[at])) at++;
  return at;
}
