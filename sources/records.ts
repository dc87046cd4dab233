import { isUtf8 } from 'node:buffer';
import { type FileHandle, open } from 'node:fs/promises';
import { VlmoError } from '#errors.ts';
import { throwIfMachine } from '#machine-error.ts';
import { filePath } from '#uri.ts';

/** Longest record (a line, or a CSV row over several lines) that is read; a longer one is refused. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;
/** Small enough that parsing one chunk keeps the event loop busy for some milliseconds only. */
const CHUNK_BYTES = 64 * 1024;
const LF = 0x0a;

/** Where a record ends (after its line break), how many lines it takes, and why it cannot be used, if so. */
export interface Frame {
  readonly end: number;
  readonly lines: number;
  readonly reason?: string | undefined;
  /** Nothing but white space: counted as a line, but not given out. */
  readonly blank?: boolean;
  /** Its end is not in sight: the rest of its line is to be passed over. */
  readonly cut?: boolean;
}

/** Finds the record that starts at `start`; undefined if its end is not in `bytes` yet and more bytes follow. */
export type FindFrame = (bytes: Buffer, start: number, ended: boolean) => Frame | undefined;

export interface RawRecord {
  /** The line it starts on, from 1. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
  /** `expected …, received …` if the record cannot be used. */
  readonly reason: string | undefined;
}

export interface RecordChunk {
  /** Valid until the next chunk is asked for: the buffer is reused. */
  readonly bytes: Buffer;
  readonly records: readonly RawRecord[];
  /** Bytes of the file up to the end of the last record. */
  readonly position: number;
}

/**
 * Streams a file as chunks of whole records. Holds one chunk and the record that it cuts, never more than
 * about twice MAX_RECORD_BYTES, whatever the file holds. Reads only when asked; closes the file when left. Throws
 * SOURCE_NOT_FOUND, SOURCE_UNSUPPORTED.
 */
export async function* readRecords(
  path: string,
  findFrame: FindFrame,
): AsyncGenerator<RecordChunk, void, void> {
  const file = await onFile(path, open(filePath(path), 'r'));
  try {
    const state: State = { line: 1, skipping: false };
    let buffer: Buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let rest = 0; // bytes at the start of `buffer` that are not records yet
    let position: number | undefined; // of the first byte in `buffer`
    for (let ended = false; !ended; ) {
      buffer = withRoom(buffer, rest);
      const length = rest + (await onFile(path, fill(file, buffer, rest)));
      ended = length === rest;
      const bytes = buffer.subarray(0, length);
      let start = position === undefined ? bomLength(bytes) : 0;
      if (position === undefined) refuseUtf16(path, bytes);
      position ??= 0;
      for (let from = -1; from < start; ) {
        from = start;
        const records: RawRecord[] = [];
        start = collect(bytes, from, ended, findFrame, state, records);
        yield { bytes, records: markInvalidText(bytes, records), position: position + start };
      }
      buffer.copyWithin(0, start, length);
      rest = length - start;
      position += start;
    }
  } finally {
    await file.close();
  }
}

interface State {
  line: number;
  /** Inside a line that was refused for its length. */
  skipping: boolean;
}

/** Collects about a chunk of records; returns where they end. */
function collect(
  bytes: Buffer,
  from: number,
  ended: boolean,
  findFrame: FindFrame,
  state: State,
  into: RawRecord[],
): number {
  let start = from;
  if (state.skipping) {
    const lineEnd = bytes.indexOf(LF, from);
    if (lineEnd === -1) return bytes.length;
    start = lineEnd + 1;
    state.skipping = false;
    state.line++;
  }
  while (start < bytes.length && start - from < CHUNK_BYTES) {
    const frame = limited(bytes, start, findFrame(bytes, start, ended));
    if (frame === undefined) break;
    if (!frame.blank) into.push({ line: state.line, start, end: frame.end, reason: frame.reason });
    state.line += frame.lines;
    state.skipping = frame.cut === true;
    start = frame.end;
  }
  return start;
}

/** Refuses a record that is too long; if its end is not in sight, only its first line is given up. */
function limited(bytes: Buffer, start: number, frame: Frame | undefined): Frame | undefined {
  const size = (frame?.end ?? bytes.length) - start;
  if (size <= MAX_RECORD_BYTES) return frame;
  const reason = `expected a row of at most ${MAX_RECORD_BYTES} bytes, received a longer one`;
  if (frame !== undefined) return { ...frame, reason };
  const lineEnd = bytes.indexOf(LF, start);
  if (lineEnd === -1) return { end: bytes.length, lines: 0, reason, cut: true };
  return { end: lineEnd + 1, lines: 1, reason: `${reason}, perhaps after a quote that is not closed` };
}

/** A caption with replacement characters would be indexed wrongly in silence: such a record is refused instead. */
function markInvalidText(bytes: Buffer, records: readonly RawRecord[]): readonly RawRecord[] {
  const first = records.at(0);
  const last = records.at(-1);
  if (first === undefined || last === undefined || isUtf8(bytes.subarray(first.start, last.end)))
    return records;
  return records.map((record) =>
    record.reason !== undefined || isUtf8(bytes.subarray(record.start, record.end))
      ? record
      : { ...record, reason: 'expected UTF-8 text, received other bytes' },
  );
}

/** The free part is never smaller than the rest kept: a long record is then scanned a few times, not n² times. */
function withRoom(buffer: Buffer, filled: number): Buffer {
  if (buffer.length - filled >= Math.max(filled, CHUNK_BYTES / 2)) return buffer;
  const larger = Buffer.allocUnsafe(filled + Math.max(filled, CHUNK_BYTES));
  buffer.copy(larger, 0, 0, filled);
  return larger;
}

async function fill(file: FileHandle, buffer: Buffer, from: number): Promise<number> {
  return (await file.read(buffer, from, buffer.length - from, null)).bytesRead;
}

/** Every second byte of its lines is a NUL, which is UTF-8 too: but for its mark, most of it would be read as something else. */
function refuseUtf16(path: string, bytes: Buffer): void {
  const mark = bytes.length >= 2 ? bytes.readUInt16BE(0) : 0;
  if (mark !== 0xfffe && mark !== 0xfeff) return;
  throw new VlmoError(
    'SOURCE_UNSUPPORTED',
    `Cannot read "${path}": expected UTF-8 text, received UTF-16; save it as UTF-8`,
  );
}

function bomLength(bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

async function onFile<T>(path: string, action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (cause) {
    throwIfMachine(`Cannot read "${path}"`, cause);
    const received = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const message = `Cannot read "${path}": expected a readable file, received "${received}"`;
    throw new VlmoError('SOURCE_NOT_FOUND', message, { cause });
  }
}
