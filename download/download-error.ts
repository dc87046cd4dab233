import { errorMessage, VlmoError } from '#errors.ts';

/** Codes of what happens to a download: `DOWNLOAD_FAILED` and `DOWNLOAD_TIMEOUT` may not happen again. */
type Code =
  | 'DOWNLOAD_FAILED'
  | 'DOWNLOAD_TIMEOUT'
  | 'DOWNLOAD_NOT_FOUND'
  | 'DOWNLOAD_REFUSED'
  | 'ROBOTS_REFUSED';

interface Details {
  readonly cause?: unknown;
  readonly retryAfterMs?: number | undefined;
}

/** Names the host alone: the rest of a URL may hold what lets somebody in. */
export function downloadError(
  code: Code,
  url: URL,
  expected: string,
  received: string,
  details: Details = {},
): VlmoError {
  const { hostname } = url;
  const message = `Cannot download from "${hostname}": expected ${expected}, received ${received}`;
  return new VlmoError(code, message, details);
}

export function tooLarge({ hostname }: URL, maxBytes: number): VlmoError {
  return new VlmoError(
    'IMAGE_TOO_LARGE',
    `Cannot download from "${hostname}": expected at most ${maxBytes} bytes, received more (--max-image-bytes sets the limit)`,
  );
}

/** What went wrong, without the addresses that messages of sockets hold. */
export function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code ?? errorMessage(error).split('\n')[0] ?? 'nothing';
}

/** A status that is no answer: what may be another one soon is worth a retry. */
export function statusError(url: URL, status: number, retryAfterMs: number | undefined): VlmoError {
  const isPassing = status >= 500 || status === 408 || status === 425 || status === 429;
  const code = isPassing
    ? 'DOWNLOAD_FAILED'
    : status === 404 || status === 410
      ? 'DOWNLOAD_NOT_FOUND'
      : 'DOWNLOAD_REFUSED';
  return downloadError(code, url, 'status 200', String(status), { retryAfterMs });
}
