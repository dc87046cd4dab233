import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errorMessage, VlmoError } from '#errors.ts';
import { fileOf, filePath } from '#uri.ts';
import { respelled } from './respelled.ts';

/** The bytes of a picture file, by its absolute path or file URL. Throws ITEM_NOT_FOUND, ITEM_UNREADABLE, IMAGE_TOO_LARGE. */
export function readPictureFile(uri: string, maxBytes: number): Uint8Array {
  try {
    return read(uri, maxBytes);
  } catch (error) {
    // A disk that breaks off says nothing of the content.
    throw error instanceof VlmoError ? error : unreadable(uri, error);
  }
}

function read(uri: string, maxBytes: number): Uint8Array {
  const file = openPictureFile(uri);
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

// Without O_NONBLOCK a named pipe would hold the thread until somebody writes to it.
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Opens the file that a picture is, or lies in: `place` gives its path where that is another one. A pipe is not waited for. Throws
 * ITEM_NOT_FOUND, ITEM_UNREADABLE.
 */
export function openPictureFile(uri: string, place = () => filePath(fileOf(uri))): number {
  try {
    const path = place();
    try {
      return openSync(path, FLAGS);
    } catch (error) {
      const other = isMissing(error) && typeof path === 'string' ? respelled(path) : undefined;
      if (other === undefined) throw error;
      return openSync(other, FLAGS);
    }
  } catch (error) {
    throw unreadable(uri, error);
  }
}

function unreadable(uri: string, error: unknown): VlmoError {
  const missing = isMissing(error);
  const received = missing ? 'none' : errorMessage(error);
  return new VlmoError(
    missing ? 'ITEM_NOT_FOUND' : 'ITEM_UNREADABLE',
    `Cannot read image "${uri}": expected a file, received ${received}`,
    { cause: error },
  );
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
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
