import { request } from 'undici';
import type { Dial } from './dial.ts';
import { downloadError, reasonOf } from './download-error.ts';

/** Longest answer that is read. */
const MAX_BYTES = 64 * 1024;

/** Sends a form to a server that whoever runs us has named. Throws DOWNLOAD_FAILED. */
export async function postForm(
  dial: Dial,
  address: string,
  form: string,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly text: string }> {
  const url = new URL(address);
  try {
    const { statusCode: status, body } = await request(url, {
      method: 'POST',
      dispatcher: dial({ url, isTrusted: true }),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form,
      signal: AbortSignal.timeout(timeoutMs),
    });
    let text = '';
    for await (const piece of body as AsyncIterable<Buffer>) {
      text += piece.toString('utf8');
      if (text.length > MAX_BYTES) break;
    }
    return { status, text };
  } catch (error) {
    throw downloadError('DOWNLOAD_FAILED', url, 'an answer', reasonOf(error), { cause: error });
  }
}
