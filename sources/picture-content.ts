import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { filePath } from '#uri.ts';

/** Bytes that are enough for every signature. */
export const PICTURE_HEAD_BYTES = 64;
/** What pictures begin with, as latin1 ("?" is any byte): those that can be decoded, and those to be listed as failed. */
const SIGNATURES: readonly string[] = [
  '\xff\xd8\xff',
  '\x89PNG\r\n\x1a\n',
  'GIF87a',
  'GIF89a',
  'RIFF????WEBP',
  'II*\0',
  'MM\0*',
  '????ftypavif',
  '????ftypavis',
  '????ftyphei',
  '????ftyphev',
  '????ftypmif1',
  '<svg',
  '\0\0\0\x0cJXL ',
  '\0\0\0\x0cjP  ',
  '8BPS',
];

/** Whether a file begins as a picture does, whatever its name. Throws what opening it throws. */
export async function beginsAsPicture(uri: string): Promise<boolean> {
  // A pipe would hold the reader until somebody writes to it.
  const file = await open(filePath(uri), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PICTURE_HEAD_BYTES), 0, PICTURE_HEAD_BYTES, 0);
    return beginsAsPictureBytes(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/** As `beginsAsPicture`, of the first bytes. */
export function beginsAsPictureBytes(bytes: Buffer): boolean {
  const head = bytes.toString('latin1', 0, PICTURE_HEAD_BYTES);
  return SIGNATURES.some((signature) =>
    Array.from(signature).every((byte, at) => (byte === '?' ? at < head.length : byte === head[at])),
  );
}
