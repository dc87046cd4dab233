import { closeSync, fstatSync, readSync } from 'node:fs';
import { VlmoError } from '#errors.ts';
import { memberOf } from '#uri.ts';
import { openPictureFile } from './read-file.ts';

/**
 * The bytes of a picture that lies as it is in a file, whose uri says where: `offset`, `size`, and `of`, the file's own size, so that another file in its
 * place is not taken for it. Throws ITEM_NOT_FOUND, ITEM_UNREADABLE, IMAGE_TOO_LARGE.
 */
export function readByteRange(uri: string, maxBytes: number): Uint8Array {
  const place = memberOf(uri)?.place;
  const [offset, size, of] = ['offset', 'size', 'of'].map((name) => {
    const text = place?.get(name) ?? '';
    return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  }) as [number, number, number];
  if (!(offset + size <= of)) throw unreadable(uri, 'a place in a file', 'none');
  if (size > maxBytes)
    throw new VlmoError(
      'IMAGE_TOO_LARGE',
      `Cannot read image "${uri}": expected at most ${maxBytes} bytes, received ${size} (--max-image-bytes sets the limit)`,
    );
  const file = openPictureFile(uri);
  try {
    const found = fstatSync(file).size;
    if (found !== of) throw unreadable(uri, `a file of ${of} bytes`, `one of ${found}; index it again`);
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size; ) {
      const count = readSync(file, bytes, done, size - done, offset + done);
      if (count === 0) throw unreadable(uri, `${size} bytes`, String(done));
      done += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function unreadable(uri: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'ITEM_UNREADABLE',
    `Cannot read image "${uri}": expected ${expected}, received ${received}`,
  );
}
