import type { FileHandle } from 'node:fs/promises';
import { type Extended, isExtension, MAX_EXTENDED_BYTES, readExtended } from '#pictures/tar-extended.ts';
import { padded, readTarHeader, TAR_BLOCK, type TarHeader } from '#pictures/tar-header.ts';

interface TarPlace {
  readonly name: string;
  /** Of its content. */
  readonly offset: number;
  readonly size: number;
  /** Bytes of the headers before the content: its own, and those that give it a long name. */
  readonly head: number;
}

/** Something in a tar, or a stretch of it that cannot be read. */
export type TarEntry =
  | ({ readonly kind: 'file' } & TarPlace)
  | { readonly kind: 'sparse' | 'special'; readonly name: string }
  /** Its content ends behind the end of the tar. */
  | { readonly kind: 'cut'; readonly name: string; readonly expected: number; readonly received: number }
  | {
      readonly kind: 'damage';
      readonly offset: number;
      readonly reason: string;
      /** That it ends too early. */
      readonly isEnd?: true;
    };

/** Headers and small files come close together; contents of twice that are passed over unread. */
const WINDOW_BYTES = 256 * 1024;
/** What is read behind a jump. */
const NEAR_BYTES = 16 * 1024;
const ZEROS = Buffer.alloc(TAR_BLOCK);

/** Reads at places of a file, through one window that moves on with them. */
export class TarReader {
  readonly #file: FileHandle;
  readonly size: number;
  #buffer: Buffer = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  #start = 0;
  #length = 0;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** So many bytes at a place, fewer where the file ends; valid until the next call. */
  async read(offset: number, length: number): Promise<Buffer> {
    const at = offset - this.#start;
    if (at < 0 || at + length > this.#length) await this.#move(offset, length);
    const from = offset - this.#start;
    return this.#buffer.subarray(from, Math.min(from + length, this.#length));
  }

  async #move(offset: number, length: number): Promise<void> {
    const isJump = offset - (this.#start + this.#length) >= WINDOW_BYTES;
    const ahead = Math.max(length, isJump ? NEAR_BYTES : WINDOW_BYTES);
    const wanted = Math.min(ahead, Math.max(0, this.size - offset));
    if (wanted > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(wanted);
    this.#start = offset;
    this.#length = 0;
    while (this.#length < wanted) {
      const left = wanted - this.#length;
      const { bytesRead } = await this.#file.read(this.#buffer, this.#length, left, offset + this.#length);
      if (bytesRead === 0) break;
      this.#length += bytesRead;
    }
  }
}

/** Walks the entries of a tar in their order; behind damage it goes on with the next header that is one. */
export async function* tarEntries(reader: TarReader): AsyncGenerator<TarEntry, void, void> {
  let at = 0;
  /** Where the headers of the next file begin. */
  let start: number | undefined;
  let extended: Extended = {};
  while (at < reader.size) {
    const block = await reader.read(at, TAR_BLOCK);
    if (block.equals(ZEROS)) {
      yield* behindEnd(reader, at);
      return;
    }
    const header = readTarHeader(block);
    if (header === undefined) {
      const next = await findHeader(reader, at + TAR_BLOCK);
      const expected = `expected the header of a file at byte ${at}, received other bytes`;
      const goesOn = next === undefined ? 'nothing follows' : `the tar goes on at byte ${next}`;
      yield { kind: 'damage', offset: at, reason: `${expected}; ${goesOn}` };
      if (next === undefined) return;
      at = next;
      start = undefined;
      extended = {};
      continue;
    }
    const offset = at + TAR_BLOCK;
    if (isExtension(header)) {
      const length = Math.min(header.size, MAX_EXTENDED_BYTES);
      extended = { ...extended, ...readExtended(header, await reader.read(offset, length)) };
      start ??= at;
      at = offset + padded(header.size);
      continue;
    }
    const { name = header.name, size = header.size, isSparse } = extended;
    const head = offset - (start ?? at);
    at = offset + (await mapBytes(reader, at, header)) + (hasContent(header.type) ? padded(size) : 0);
    start = undefined;
    extended = {};
    const type = isSparse ? 'S' : header.type;
    yield entryOf(type, { name, size, offset, head }, reader.size);
  }
  const reason = 'expected the mark of its end, received none: it may be cut';
  yield { kind: 'damage', offset: reader.size, reason, isEnd: true };
}

/** Readers of tars stop at the mark of the end: what was joined on behind it is not read by them, and not here. */
async function* behindEnd(reader: TarReader, end: number): AsyncGenerator<TarEntry, void, void> {
  for (let at = end; at < reader.size; at += TAR_BLOCK) {
    const block = await reader.read(at, TAR_BLOCK);
    if (block.equals(ZEROS) || readTarHeader(block) === undefined) continue;
    const reason = `expected nothing behind the mark of its end, received more files from byte ${at} on, which are not read; take it apart`;
    yield { kind: 'damage', offset: at, reason };
    return;
  }
}

/** Bytes of the maps with which GNU continues the header of a sparse file. */
async function mapBytes(reader: TarReader, at: number, { type }: TarHeader): Promise<number> {
  if (type !== 'S') return 0;
  let bytes = 0;
  for (let isMore = (await reader.read(at, TAR_BLOCK))[482]; isMore === 1; bytes += TAR_BLOCK)
    isMore = (await reader.read(at + TAR_BLOCK + bytes, TAR_BLOCK))[504];
  return bytes;
}

/** Links, devices and folders have none, whatever their size says. */
function hasContent(type: string): boolean {
  return !'123456'.includes(type);
}

function entryOf(type: string, place: TarPlace, end: number): TarEntry {
  const { name, offset, size } = place;
  if (type === 'S') return { kind: 'sparse', name };
  if (type !== '0' && type !== '7') return { kind: 'special', name };
  if (offset + size <= end) return { kind: 'file', ...place };
  return { kind: 'cut', name, expected: size, received: Math.max(0, end - offset) };
}

/** The next block that is a header and says so. */
async function findHeader(reader: TarReader, from: number): Promise<number | undefined> {
  for (let at = from; at + TAR_BLOCK <= reader.size; at += TAR_BLOCK) {
    const block = await reader.read(at, TAR_BLOCK);
    const isMarked = block.toString('latin1', 257, 262) === 'ustar';
    if (isMarked && readTarHeader(block) !== undefined) return at;
  }
  return undefined;
}
