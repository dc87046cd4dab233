import { z } from 'zod';
import { VlmoError } from '#errors.ts';
import type { ServerParts } from '../parts.ts';

/** A picture in a JSON body: its bytes, or where it lies. */
export const pictureBodySchema = z
  .union([
    z.strictObject({ data: z.string().min(1).describe('Base64, or a data URL') }),
    z.strictObject({
      url: z.string().min(1).max(8192).describe('http or https, where the server allows it'),
    }),
  ])
  .meta({ id: 'Picture' });

export type PictureBody = z.output<typeof pictureBodySchema>;

const DATA_URL = /^data:[^,]{0,100};base64,/i;

/** The bytes of a picture in a request. Throws REQUEST_INVALID, URL_UNSUPPORTED, and what downloading throws. */
export async function readPictureBody(
  picture: PictureBody,
  field: string,
  parts: Pick<ServerParts, 'download'>,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if ('data' in picture) return decode(picture.data, `${field}.data`);
  return download(picture.url, parts, signal);
}

/** A picture as other APIs write it, in one text: a data URL, an address, or base64 alone. */
export async function readPictureText(
  said: string,
  field: string,
  parts: Pick<ServerParts, 'download'>,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  return /^https?:/i.test(said) ? download(said, parts, signal) : decode(said, field);
}

/** Whether a text is a picture where it could be words as well. */
export function isPictureText(said: string): boolean {
  return /^data:image\//i.test(said);
}

async function download(
  url: string,
  parts: Pick<ServerParts, 'download'>,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if (parts.download) return parts.download(url, signal);
  throw new VlmoError(
    'URL_UNSUPPORTED',
    'Cannot read a picture by its URL: this server downloads none (--fetch or --fetch-allow lets it); send its bytes',
  );
}

function decode(data: string, field: string): Uint8Array<ArrayBuffer> {
  const base64 = data.replace(DATA_URL, '').trim();
  const bytes = new Uint8Array(Buffer.from(base64, 'base64'));
  if (bytes.length > 0 && /^[\w+/=-]*$/.test(base64)) return bytes;
  const details = { field, expected: 'base64', received: data.slice(0, 40) };
  throw new VlmoError(
    'REQUEST_INVALID',
    `Cannot read the picture: expected "${field}" to be base64, received ${JSON.stringify(details.received)}`,
    { details },
  );
}
