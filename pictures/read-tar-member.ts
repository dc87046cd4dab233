import { closeSync, readSync } from 'node:fs';
import { type ErrorCode, VlmoError } from '#errors.ts';
import { memberOf } from '#uri.ts';
import { openPictureFile } from './read-file.ts';
import { readHeaders } from './tar-extended.ts';
import { TAR_BLOCK } from './tar-header.ts';
import { isPackedTar, unpackedPath } from './unpacked-tar.ts';

/** More headers than that are no name. */
const MAX_HEAD_BYTES = 4 * 1024 * 1024;

/** Where a picture is in a tar. */
interface MemberPlace {
  readonly container: string;
  /** Of its content. */
  readonly offset: number;
  readonly size: number;
  /** Bytes of the headers before it. */
  readonly head: number;
  readonly name: string | null;
}

/**
 * The bytes of a picture in a tar, whose uri says where: `offset` of its content, `size`, `head` bytes of headers before it, and `name`. The
 * headers are read again and compared: a tar that was written anew, even of the same size, gives no other picture under this name. Size
 * and time of the tar are no part of the uri, or every row would change where it was copied or appended to. Of a packed tar the unpacked copy is
 * read. Throws ITEM_NOT_FOUND, ITEM_UNREADABLE, IMAGE_TOO_LARGE.
 */
export function readTarMember(uri: string, maxBytes: number): Uint8Array {
  const place = placeOf(uri);
  if (!place) throw unreadable(uri, 'a place in a tar', 'none');
  const { container, offset, size, head, name } = place;
  if (size > maxBytes)
    throw new VlmoError(
      'IMAGE_TOO_LARGE',
      `Cannot read image "${uri}": expected at most ${maxBytes} bytes, received ${size} (--max-image-bytes sets the limit)`,
    );
  const file = isPackedTar(container)
    ? openPictureFile(uri, () => unpackedPath(container))
    : openPictureFile(uri);
  try {
    const bytes = read(uri, file, offset - head, head + size);
    const found = readHeaders(bytes.subarray(0, head));
    if (found?.size !== size || (name !== null && found.name !== name)) {
      const received = found ? `"${found.name}" of ${found.size}` : 'something else';
      const expected = `${name === null ? 'a file' : `"${name}"`} of ${size} bytes at this place of the tar`;
      throw unreadable(uri, expected, `${received}; index it again`, 'ITEM_NOT_FOUND');
    }
    return new Uint8Array(bytes.buffer, bytes.byteOffset + head, size);
  } finally {
    closeSync(file);
  }
}

function placeOf(uri: string): MemberPlace | undefined {
  const member = memberOf(uri);
  if (!member) return undefined;
  const number = (name: string, otherwise: number) => Number(member.place.get(name) ?? otherwise);
  const [offset, size, head] = [
    number('offset', Number.NaN),
    number('size', Number.NaN),
    number('head', TAR_BLOCK),
  ];
  const areNumbers = [offset, size, head].every((one) => Number.isSafeInteger(one) && one >= 0);
  const isHead = head >= TAR_BLOCK && head <= MAX_HEAD_BYTES && head <= offset;
  const { container } = member;
  return areNumbers && isHead ? { container, offset, size, head, name: member.place.get('name') } : undefined;
}

function read(uri: string, file: number, offset: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size);
  for (let done = 0; done < size; ) {
    const count = readSync(file, bytes, done, size - done, offset + done);
    if (count === 0) throw unreadable(uri, `${size} bytes`, `${done}: the tar is cut`);
    done += count;
  }
  return bytes;
}

function unreadable(
  uri: string,
  expected: string,
  received: string,
  code: ErrorCode = 'ITEM_UNREADABLE',
): VlmoError {
  return new VlmoError(code, `Cannot read image "${uri}": expected ${expected}, received ${received}`);
}
