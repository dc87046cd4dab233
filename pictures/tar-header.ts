import { isUtf8 } from 'node:buffer';
import { shownName } from '#uri.ts';

/** Bytes of a header, and what contents are padded to. */
export const TAR_BLOCK = 512;

export interface TarHeader {
  readonly name: string;
  /** Bytes of the content. */
  readonly size: number;
  /** The letter of POSIX and GNU: `0` a file, `5` a folder, `x` and `g` PAX records, `L` a long name, `S` a sparse file. */
  readonly type: string;
}

/** The header in a block of a tar (v7, ustar or GNU); undefined where its checksum says that it is none. */
export function readTarHeader(block: Buffer): TarHeader | undefined {
  if (block.length < TAR_BLOCK || checksum(block) !== octal(block, 148, 8)) return undefined;
  const size = readSize(block);
  if (size === undefined) return undefined;
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const flag = block[156] ?? 0;
  const type = flag === 0 ? (name.endsWith('/') ? '5' : '0') : String.fromCharCode(flag);
  return { name: prefix === '' ? name : `${prefix}/${name}`, size, type };
}

/** Sum of all bytes, those of the checksum itself as spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < TAR_BLOCK; at++) if (at < 148 || at >= 156) sum += block[at] as number;
  return sum;
}

/** Octal digits, or, where GNU needs more than eleven of them, a binary number. */
function readSize(block: Buffer): number | undefined {
  const isBinary = ((block[124] ?? 0) & 0x80) !== 0;
  const size = isBinary ? Number(block.readBigUInt64BE(128)) : octal(block, 124, 12);
  return Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}

function octal(block: Buffer, at: number, length: number): number {
  return Number.parseInt(
    block
      .toString('latin1', at, at + length)
      .replace(/\0.*$/s, '')
      .trim() || '0',
    8,
  );
}

function text(block: Buffer, at: number, length: number): string {
  return nameOf(block.subarray(at, at + length));
}

/** Up to the first NUL; bytes that are no UTF-8 are percent-encoded, as in names of files. */
export function nameOf(field: Buffer): string {
  const end = field.indexOf(0);
  const name = end === -1 ? field : field.subarray(0, end);
  return isUtf8(name) ? name.toString('utf8') : shownName(name);
}

/** Bytes that a content takes in a tar. */
export function padded(size: number): number {
  return Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
}
