import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { VlmoError } from '#errors.ts';
import { downloadError, tooLarge } from './download-error.ts';

/** Memory that a download takes: resolves when so many bytes of it may be held, all in all. */
export type Room = (bytes: number) => Promise<void> | undefined;

export interface BodyLimits {
  readonly maxBytes: number;
  /** Says what the first bytes are; undefined where that is not wanted. */
  readonly sniff: (head: Uint8Array) => string | undefined;
  readonly room?: Room | undefined;
}

/** What is sniffed. */
const HEAD_BYTES = 1024;
/** What room is asked for at a time, where a server does not say how much comes. */
const STEP_BYTES = 256 * 1024;

/** The bytes of an answer, unpacked, never more than allowed. Throws IMAGE_TOO_LARGE, IMAGE_INVALID, DOWNLOAD_FAILED. */
export async function readBody(
  { headers, body }: Pick<Dispatcher.ResponseData, 'headers' | 'body'>,
  url: URL,
  { maxBytes, sniff, room }: BodyLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  const said = Number(headers['content-length'] ?? 0);
  const unpack = unpackerOf(headers['content-encoding'], url);
  if (said > maxBytes) throw tooLarge(url, maxBytes);
  let roomFor = unpack ? 0 : said;
  if (roomFor > 0) await room?.(roomFor);
  const pieces: Uint8Array[] = [];
  let size = 0;
  let isKnown = false;
  for await (const piece of unpack ? unpacked(body, unpack) : (body as AsyncIterable<Uint8Array>)) {
    size += piece.length;
    if (size > maxBytes) throw tooLarge(url, maxBytes);
    if (size > roomFor) {
      roomFor = size + STEP_BYTES;
      await room?.(roomFor);
    }
    pieces.push(piece);
    if (!isKnown && size >= HEAD_BYTES) isKnown = requireKind(Buffer.concat(pieces), url, sniff);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  if (!isKnown) requireKind(bytes, url, sniff);
  return bytes;
}

/** Asked for nothing packed, some servers pack all the same, and stores keep what was packed when it was put there. */
const UNPACKERS: Readonly<Partial<Record<string, () => Transform>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

function unpackerOf(encoding: string | string[] | undefined, url: URL): Transform | undefined {
  const name = String(encoding ?? '')
    .trim()
    .toLowerCase();
  if (name === '' || name === 'identity') return undefined;
  const make = UNPACKERS[name];
  if (make) return make();
  throw downloadError(
    'DOWNLOAD_REFUSED',
    url,
    'bytes as they are, or in gzip, deflate, br or zstd',
    'other ones',
  );
}

/** Unpacks as it is read, so that few bytes never become many in memory. */
async function* unpacked(body: Readable, unpack: Transform): AsyncGenerator<Uint8Array> {
  pipeline(body, unpack, () => undefined);
  try {
    yield* unpack as AsyncIterable<Uint8Array>;
  } finally {
    unpack.destroy();
  }
}

function requireKind(head: Uint8Array, { hostname }: URL, sniff: BodyLimits['sniff']): true {
  if (sniff(head.subarray(0, HEAD_BYTES)) !== undefined) return true;
  throw new VlmoError(
    'IMAGE_INVALID',
    `Cannot download from "${hostname}": expected a picture, received something else`,
  );
}
