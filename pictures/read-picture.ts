import { VlmoError } from '#errors.ts';
import { schemeOf } from '#uri.ts';
import { readByteRange } from './read-byte-range.ts';
import { readPictureFile } from './read-file.ts';
import { readTarMember } from './read-tar-member.ts';

/** The bytes of the picture at a uri of one scheme, at most `maxBytes` of them. */
export type PictureReader = (uri: string, maxBytes: number) => Uint8Array;

/** By scheme; an absolute path means its file URL. */
const READERS: Readonly<Partial<Record<string, PictureReader>>> = {
  file: readPictureFile,
  'tar+file': readTarMember,
  'arrow+file': readByteRange,
};

/**
 * The bytes of a picture, by the reader of its scheme. Synchronous on purpose: it runs in a thread of its own, where it is
 * several times faster than the asynchronous way; what lies in a packed tar needs `unpackFor` before. Throws ITEM_NOT_FOUND, ITEM_UNREADABLE, IMAGE_TOO_LARGE, URL_UNSUPPORTED.
 */
export function readPicture(uri: string, maxBytes: number): Uint8Array {
  const read = READERS[schemeOf(uri) ?? 'file'];
  if (read) return read(uri, maxBytes);
  throw new VlmoError(
    'URL_UNSUPPORTED',
    `Cannot read image "${uri}": expected a path on this machine, received a URL; download it first`,
  );
}
