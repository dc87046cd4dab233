import { z } from 'zod';
import { VlmoError } from '#errors.ts';

/** A picture in a JSON body: its bytes in base64, or as a data URL. */
export const pictureBodySchema = z
  .strictObject({ data: z.string().min(1).describe('Base64, or a data URL') })
  .meta({ id: 'Picture' });

export type PictureBody = z.output<typeof pictureBodySchema>;

const DATA_URL = /^data:[^,]{0,100};base64,/;

/** The bytes of a picture in a request. Throws REQUEST_INVALID. */
export function pictureBytes({ data }: PictureBody, field = 'image'): Uint8Array<ArrayBuffer> {
  const base64 = data.replace(DATA_URL, '');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length > 0 && /^[\w+/=-]*$/.test(base64.trim())) return bytes;
  const details = { field: `${field}.data`, expected: 'base64', received: data.slice(0, 40) };
  throw new VlmoError(
    'REQUEST_INVALID',
    `Cannot read the picture: expected "${details.field}" to be base64, received ${JSON.stringify(details.received)}`,
    { details },
  );
}
