import type { FileHandle } from 'node:fs/promises';
import { readTarHeader, TAR_BLOCK, type TarHeader } from '#pictures/tar-header.ts';

/** Something in a tar, or a stretch of it that cannot be read. */
export type TarEntry =
  | { readonly kind: 'file'; readonly name: string; readonly offset: number; readonly size: number }
  | { readonly kind: 'sparse' | 'special'; readonly name: string }
  /** Its content ends behind the end of the tar. */
  | { readonly kind: 'cut'; readonly name: string; readonly expected: number; readonly received: number }
  | { readonly kind: 'damage'; readonly offset: number; readonly reason: string };

/** Headers and small files come close together; contents that are larger are passed over unread. */
const WINDOW_BYTES = 1024 * 1024;
/** Names and numbers; what is longer is no header. */
const MAX_EXTENDED_BYTES = 1024 * 1024;

/** Reads at places of a file, through one window that moves on with them. */
export class TarReader {
  readonly #file: FileHandle;
  readonly size: number;
  #window: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** So many bytes at a place, fewer where the file ends; valid until the next call. */
  async read(offset: number, length: number): Promise<Buffer> {
    const at = offset - this.#start;
    if (at >= 0 && at + length <= this.#window.length) return this.#window.subarray(at, at + length);
    const wanted = Math.min(Math.max(length, WINDOW_BYTES), Math.max(0, this.size - offset));
    const window = Buffer.allocUnsafe(wanted);
    let done = 0;
    while (done < wanted) {
      const { bytesRead } = await this.#file.read(window, done, wanted - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    this.#window = window.subarray(0, done);
    this.#start = offset;
    return this.#window.subarray(0, length);
  }
}

/** What a long name or a PAX header says of the entry behind it. */
interface Extended {
  readonly name?: string | undefined;
  readonly size?: number | undefined;
  readonly isSparse?: boolean;
}

/** Walks the entries of a tar in their order; behind damage it goes on with the next header that is one. */
export async function* tarEntries(reader: TarReader): AsyncGenerator<TarEntry, void, void> {
  let at = 0;
  let global: Extended = {};
  let extended: Extended = {};
  while (at < reader.size) {
    const block = await reader.read(at, TAR_BLOCK);
    if (block.length === TAR_BLOCK && isZero(block)) return;
    const header = readTarHeader(block);
    if (header === undefined) {
      const next = await findHeader(reader, at + TAR_BLOCK);
      const reason = `expected the header of a file at byte ${at}, received other bytes`;
      yield {
        kind: 'damage',
        offset: at,
        reason: `${reason}; ${next === undefined ? 'nothing follows' : `the tar goes on at byte ${next}`}`,
      };
      if (next === undefined) return;
      at = next;
      extended = {};
      continue;
    }
    const offset = at + TAR_BLOCK;
    if (isExtension(header)) {
      const length = Math.min(header.size, MAX_EXTENDED_BYTES);
      const said = readExtended(header, await reader.read(offset, length));
      if (header.type === 'g') global = { ...global, ...said };
      else extended = { ...extended, ...said };
      at = offset + padded(header.size);
      continue;
    }
    const { name = header.name, size = header.size, isSparse } = { ...global, ...extended };
    extended = {};
    yield entryOf({ name, size, type: isSparse ? 'S' : header.type }, offset, reader.size);
    at = offset + (hasContent(header.type) ? padded(size) : 0);
  }
  yield {
    kind: 'damage',
    offset: reader.size,
    reason: 'expected the mark of its end, received none: it may be cut',
  };
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

function isExtension({ type }: TarHeader): boolean {
  return type === 'x' || type === 'g' || type === 'L' || type === 'K';
}

/** Links, devices and folders have none, whatever their size says. */
function hasContent(type: string): boolean {
  return !'123456'.includes(type);
}

function padded(size: number): number {
  return Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
}

function entryOf({ name, size, type }: TarHeader, offset: number, end: number): TarEntry {
  if (type === 'S') return { kind: 'sparse', name };
  if (type !== '0' && type !== '7') return { kind: 'special', name };
  if (offset + size <= end) return { kind: 'file', name, offset, size };
  return { kind: 'cut', name, expected: size, received: Math.max(0, end - offset) };
}

function readExtended({ type }: TarHeader, content: Buffer): Extended {
  if (type === 'K') return {};
  if (type === 'L') return { name: content.toString('utf8').replace(/\0.*$/s, '') };
  return paxRecords(content);
}

/** `LENGTH KEY=VALUE\n`, the length in bytes of all of it. */
function paxRecords(content: Buffer): Extended {
  let said: Extended = {};
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const length = Number(content.toString('latin1', at, space));
    if (space === -1 || !Number.isSafeInteger(length) || length <= space - at) break;
    const [key = '', ...value] = content.toString('utf8', space + 1, at + length - 1).split('=');
    const text = value.join('=');
    if (key === 'path') said = { ...said, name: text };
    if (key === 'size' && /^\d+$/.test(text)) said = { ...said, size: Number(text) };
    if (key.startsWith('GNU.sparse')) said = { ...said, isSparse: true };
    at += length;
  }
  return said;
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
