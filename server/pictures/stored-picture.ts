import { open } from 'node:fs/promises';
import { VlmoError } from '#errors.ts';
import { readContent } from '#pictures/read-content.ts';
import { unpackFor } from '#pictures/unpacked-tar.ts';
import type { FoundItem, OpenIndex } from '#service/contract.ts';
import { filePath, schemeOf } from '#uri.ts';

type ImageRow = Extract<FoundItem, { kind: 'image' }>['row'];

/** The picture of an item, or the one that a caption describes. Throws SEARCH_ITEM_NOT_FOUND. */
export async function findPicture(index: OpenIndex, key: string, collection: string): Promise<ImageRow> {
  const found = await index.item({ key }, collection);
  if (found.kind === 'image') return found.row;
  throw new VlmoError(
    'SEARCH_ITEM_NOT_FOUND',
    `Cannot show item "${key}": expected a picture, received a ${found.kind === 'caption' ? 'caption' : 'failed item'}`,
  );
}

/** The bytes of a stored picture. Throws ITEM_NOT_FOUND, ITEM_UNREADABLE, IMAGE_TOO_LARGE, URL_UNSUPPORTED. */
export async function readStored({ uri }: ImageRow, maxBytes: number): Promise<Uint8Array> {
  const scheme = schemeOf(uri) ?? 'file';
  // Other schemes, and all that is wrong with a file, are the reader's to say.
  const bytes = scheme === 'file' ? await readFile(uri, maxBytes).catch(() => undefined) : undefined;
  if (bytes) return bytes;
  await unpackFor(uri);
  return readContent(uri, maxBytes);
}

/** Without holding up other requests. */
async function readFile(uri: string, maxBytes: number): Promise<Uint8Array | undefined> {
  await using file = await open(filePath(uri));
  const stat = await file.stat();
  return stat.isFile() && stat.size <= maxBytes ? new Uint8Array(await file.readFile()) : undefined;
}
