import { z } from 'zod';
import { ERROR_CODES, type VlmoError } from '#errors.ts';
import { statusOf } from './status.ts';

/** One body for both worlds: RFC 9457, and the `error` that clients of OpenAI's API read. */
export const problemSchema = z
  .object({
    type: z.string().describe('urn:vlmo:error:CODE'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().describe('The request, as the log knows it'),
    code: z.string().describe('As in docs/errors.md'),
    retriable: z.boolean().describe('Whether the same request may succeed later'),
    field: z.string().optional(),
    expected: z.string().optional(),
    received: z.string().optional(),
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string(),
    }),
  })
  .meta({ id: 'Problem' });

export type Problem = Readonly<z.output<typeof problemSchema>>;

/** The body of an answer that says what went wrong. `detail` stands in for a message that nobody outside is to read. */
export function toProblem(
  { code, message, details }: VlmoError,
  requestId: string,
  status = statusOf(code),
): Problem {
  return {
    type: `urn:vlmo:error:${code}`,
    title: ERROR_CODES[code].meaning,
    status,
    detail: message,
    instance: `urn:request:${requestId}`,
    code,
    retriable: ERROR_CODES[code].retriable,
    ...details,
    error: { message, type: openAiType(status), param: details?.field || null, code },
  };
}

function openAiType(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 404) return 'not_found_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
