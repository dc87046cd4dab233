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
export type Cursor = z.output<typeof cursorSchema>;

/** A text that holds a cursor, sealed together with what was asked. */
export function writeCursor(cursor: Cursor, asked: string): string {
  const json = JSON.stringify(cursor);
  return seal(json, asked) + Buffer.from(json).toString('base64url');
}

/** Throws CURSOR_INVALID for what `writeCursor` has not written, or not for the same search. */
export function readCursor(text: string, asked: string): Cursor {
  const json = Buffer.from(text.slice(SEAL_LENGTH), 'base64url').toString();
  if (text === seal(json, asked) + Buffer.from(json).toString('base64url')) {
    const read = cursorSchema.safeParse(parseJson(json));
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

function seal(json: string, asked: string): string {
  return createHash('sha256')
    .update(asked)
    .update('\n')
    .update(json)
    .digest('base64url')
    .slice(0, SEAL_LENGTH);
}

/** A digest of all that decides the order of a search: its vector [D] and what else was asked. */
export function digestOf(query: Float32Array, asked: object): string {
  const hash = createHash('sha256').update(JSON.stringify(asked)).update('\n');
  return hash.update(new Uint8Array(query.buffer, query.byteOffset, query.byteLength)).digest('hex');
}

/** A key in few characters: two of a thousand have the same in fewer than one of 10^8 searches. */
export function markOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 8);
}
