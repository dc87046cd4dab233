import { createHash } from 'node:crypto';
import { z } from 'zod';
import { VlmoError } from '#errors.ts';

const position = z.strictObject({ score: z.number(), id: z.string(), source: z.string() });
const cursorSchema = z.strictObject({
  /** Of the last hit. */
  position,
  /** Hits on all pages so far. */
  before: z.int().min(1),
  /** What each keyword counts: with those of later on, the order would be another one. */
  weights: z.array(z.number().min(0).max(1)).optional(),
  /** The last row that was read again: the same ones are read again for every page. */
  pool: position.optional(),
  /** Marks of what was shown: of pictures where several rows show one, of rows where they were read again. */
  shown: z.array(z.string().length(8)).optional(),
});

/** Where a page ends, and what the next one must know of the first. */
export interface Cursor extends z.output<typeof cursorSchema> {
  /**
   * The vector of the query [D], where it was embedded beside others: embedded again it would differ in its last digits,
   * and so would the order. One that was embedded alone is the same each time, and part of what was asked.
   */
  readonly query?: Float32Array;
}

/** A text that holds a cursor, sealed together with what was asked. */
export function writeCursor({ query, ...rest }: Cursor, asked: string): string {
  const json = Buffer.from(JSON.stringify(rest));
  return sealed(query ? Buffer.concat([json, SEPARATOR, bytesOf(query)]) : json, asked);
}

/** The vector [D] that a cursor holds, before anybody knows whether it is one. */
export function queryIn(text: string, dimensions: number): Float32Array | undefined {
  const bytes = payloadOf(text);
  const at = bytes.length - 4 * dimensions;
  if (at < 1 || bytes[at - 1] !== SEPARATOR[0] || bytes.indexOf(SEPARATOR) !== at - 1) return undefined;
  return new Float32Array(new Uint8Array(bytes.subarray(at)).buffer);
}

/** Throws CURSOR_INVALID for what `writeCursor` has not written, or not for the same search. */
export function readCursor(text: string, asked: string): z.output<typeof cursorSchema> {
  const bytes = payloadOf(text);
  if (text === sealed(bytes, asked)) {
    const end = bytes.indexOf(SEPARATOR);
    const read = cursorSchema.safeParse(parseJson(bytes.toString('utf8', 0, end < 0 ? bytes.length : end)));
    if (read.success) return read.data;
  }
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  throw new VlmoError(
    'CURSOR_INVALID',
    `Cannot go on with the search: expected the cursor of a page of this very search, received ${JSON.stringify(shown)}, which is cut off or of another one`,
  );
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const SEAL_LENGTH = 16;
/** Between text and vector: no JSON has it. */
const SEPARATOR = Buffer.from('\n');

function payloadOf(text: string): Buffer {
  return Buffer.from(text.slice(SEAL_LENGTH), 'base64url');
}

function sealed(bytes: Buffer, asked: string): string {
  const hash = createHash('sha256').update(asked).update('\n').update(bytes);
  return hash.digest('base64url').slice(0, SEAL_LENGTH) + bytes.toString('base64url');
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A digest of all that decides the order of a search: what was asked, and its vector [D] where no cursor holds it. */
export function digestOf(query: Float32Array | undefined, asked: object): string {
  const hash = createHash('sha256').update(JSON.stringify(asked)).update('\n');
  return (query ? hash.update(bytesOf(query)) : hash).digest('hex');
}

/** A key in few characters: two of a thousand have the same in fewer than one of 10^8 searches. */
export function markOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 8);
}
