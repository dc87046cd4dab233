import type { ErrorData } from '#errors.ts';
import { timeoutError } from '#pictures/decode.ts';
import { pictureError } from '#pictures/picture-error.ts';
import type { DecoderEnd } from './decoder.ts';
import type { DecodeSetup } from './protocol.ts';

const TRIES = 2;

export interface FaultContext {
  /** Processes that have ended while they decoded this picture, this one included. */
  readonly deaths: number;
  /** Digest of its content; none where it was not read by then. */
  readonly sha256: string | null;
  readonly setup: DecodeSetup;
}

/** What is wrong with a picture whose process has ended; undefined where it is worth another try, alone. */
export function decoderFault(
  end: DecoderEnd,
  uri: string,
  { deaths, sha256, setup }: FaultContext,
): ErrorData | undefined {
  if (end.kind === 'timeout') {
    const { timeoutSeconds: seconds } = setup;
    if (sha256 !== null) return pictureError(timeoutError(seconds), uri);
    const message = `Cannot read image "${uri}": expected its bytes within ${seconds} seconds, received no end of them`;
    return { code: 'ITEM_UNREADABLE', message };
  }
  if (deaths < TRIES) return undefined;
  if (end.kind === 'out-of-memory') {
    const received = `a picture that takes more than ${setup.memoryMiB} MiB of memory to decode (--decode-memory sets the limit)`;
    return { code: 'IMAGE_TOO_LARGE', message: `Cannot decode image "${uri}": received ${received}` };
  }
  const how = end.kind === 'died' ? end.how : end.reason;
  // Somebody who kills it, or a system that is out of memory, says nothing about the picture.
  const code = end.kind === 'died' && end.isKilled ? 'WORKER_CRASHED' : 'ITEM_CRASHES';
  const received = `the end of its process each time (${how})`;
  return { code, message: `Cannot decode image "${uri}": expected pixels, received ${received}` };
}
