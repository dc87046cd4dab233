import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errorMessage, VlmoError } from '#errors.ts';

const URL_SCHEME = /^[a-z][a-z0-9+.-]+:\/\//i;

/**
 * The bytes of a picture file. Synchronous on purpose: it runs in a thread of its own, where it is several times
 * faster than the asynchronous way. Throws ITEM_NOT_FOUND, ITEM_UNREADABLE, IMAGE_TOO_LARGE, URL_UNSUPPORTED.
 */
export function readPicture(uri: string, maxBytes: number): Uint8Array {
  if (URL_SCHEME.test(uri)) {
    throw new VlmoError(
      'URL_UNSUPPORTED',
      `Cannot read image "${uri}": expected a path on this machine, received a URL; download it first`,
    );
  }
  const file = open(uri);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile())
      throw new VlmoError(
        'ITEM_UNREADABLE',
        `Cannot read image "${uri}": expected a file, received something else`,
      );
    if (stat.size > maxBytes) {
      throw new VlmoError(
        'IMAGE_TOO_LARGE',
        `Cannot read image "${uri}": expected at most ${maxBytes} bytes, received ${stat.size} (--max-image-bytes sets the limit)`,
      );
    }
    return readAll(uri, file, stat.size);
  } finally {
    closeSync(file);
  }
}

function open(uri: string): number {
  try {
    // Without O_NONBLOCK a named pipe would hold the thread until somebody writes to it.
    return openSync(uri, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    const received = missing ? 'none' : errorMessage(error);
    throw new VlmoError(
      missing ? 'ITEM_NOT_FOUND' : 'ITEM_UNREADABLE',
      `Cannot read image "${uri}": expected a file, received ${received}`,
      { cause: error },
    );
  }
}

function readAll(uri: string, file: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const count = readSync(file, bytes, done, size - done, done);
    if (count === 0)
      throw new VlmoError(
        'ITEM_UNREADABLE',
        `Cannot read image "${uri}": expected ${size} bytes, received ${done}`,
      );
    done += count;
  }
  return bytes;
}
