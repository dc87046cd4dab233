import type { Multipart } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { errorMessage, VlmoError } from '#errors.ts';
import { parseJsonBody } from './json-body.ts';

/** A form as a request: its field `request` is JSON, its files are pictures by the names of their fields. */
export interface FormBody {
  readonly request: unknown;
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/**
 * Reads a form with pictures of at most `maxBytes` in the fields of these names. Throws BODY_INVALID, BODY_TOO_LARGE,
 * IMAGE_TOO_LARGE.
 */
export async function readForm(
  request: FastifyRequest,
  names: readonly string[],
  maxBytes: number,
): Promise<FormBody> {
  try {
    return await readParts(request, names, maxBytes);
  } catch (error) {
    // The parser throws plain errors for forms that are none, with a status for those beyond a limit.
    if (error instanceof VlmoError || 'statusCode' in (error as Error)) throw error;
    throw new VlmoError('BODY_INVALID', `Cannot read the form: ${errorMessage(error)}`);
  }
}

async function readParts(
  request: FastifyRequest,
  names: readonly string[],
  maxBytes: number,
): Promise<FormBody> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  let json: unknown = {};
  // Parts have to be read to their end even where one is wrong, or the sender would never see the answer.
  const limits = { files: names.length, fields: 1, parts: names.length + 1, fileSize: maxBytes };
  for await (const part of request.parts({ limits })) {
    if (part.type === 'file') files.set(requireName(part, names), new Uint8Array(await part.toBuffer()));
    else if (part.fieldname === 'request') json = parseJsonBody(String(part.value)) ?? {};
    else throw unknownField(part.fieldname, [...names, 'request']);
  }
  return { request: json, files };
}

function requireName({ fieldname }: Multipart, names: readonly string[]): string {
  if (names.includes(fieldname)) return fieldname;
  throw unknownField(fieldname, names);
}

function unknownField(received: string, names: readonly string[]): VlmoError {
  const expected = names.map((name) => `"${name}"`).join(' or ');
  return new VlmoError(
    'BODY_INVALID',
    `Cannot read the form: expected a field ${expected}, received ${JSON.stringify(received.slice(0, 100))}`,
  );
}
