import { closeSync, readSync } from 'node:fs';
import { VlmoError } from '#errors.ts';
import { memberOf } from '#uri.ts';
import { openPictureFile } from './read-file.ts';
import { readTarHeader, TAR_BLOCK } from './tar-header.ts';
import { isPackedTar, unpackedPath } from './unpacked-tar.ts';

/**
 * The bytes of a picture in a tar, whose uri says where: `offset` of its content and `size`. The header before it is
 * compared, so that a tar that was written anew is not taken for the old one. Of a packed tar the unpacked copy is read. Throws ITEM_NOT_FOUND,
 * ITEM_UNREADABLE, IMAGE_TOO_LARGE.
 */
export function readTarMember(uri: string, maxBytes: number): Uint8Array {
  const member = memberOf(uri);
  const [offset, size] = ['offset', 'size'].map((name) => Number(member?.place.get(name) ?? Number.NaN)) as [
    number,
    number,
  ];
  if (
    !member ||
    !Number.isSafeInteger(offset) ||
    !Number.isSafeInteger(size) ||
    offset < TAR_BLOCK ||
    size < 0
  )
    throw unreadable(uri, 'a place in a tar', 'none');
  if (size > maxBytes)
    throw new VlmoError(
      'IMAGE_TOO_LARGE',
      `Cannot read image "${uri}": expected at most ${maxBytes} bytes, received ${size} (--max-image-bytes sets the limit)`,
    );
  const { container } = member;
  const file = openPictureFile(isPackedTar(container) ? unpackedPath(container) : container);
  try {
    const header = readTarHeader(read(uri, file, offset - TAR_BLOCK, TAR_BLOCK));
    if (header?.size !== size)
      throw unreadable(
        uri,
        `a file of ${size} bytes at this place of the tar`,
        'something else; index it again',
      );
    return new Uint8Array(read(uri, file, offset, size));
  } finally {
    closeSync(file);
  }
}

function read(uri: string, file: number, offset: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let done = 0; done < size; ) {
    const count = readSync(file, bytes, done, size - done, offset + done);
    if (count === 0) throw unreadable(uri, `${size} bytes`, `${done}: the tar is cut`);
    done += count;
  }
  return bytes;
}

function unreadable(uri: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'ITEM_UNREADABLE',
    `Cannot read image "${uri}": expected ${expected}, received ${received}`,
  );
}
