import { type Dispatcher, request } from 'undici';
import { errorMessage, VlmoError } from '#errors.ts';
import { dial, type Resolve, resolveByDns } from './dial.ts';
import { checkUrl, type DownloadPolicy } from './host-policy.ts';

export interface DownloadOptions {
  readonly policy: DownloadPolicy;
  readonly maxBytes: number;
  /** For all of it, redirects too. */
  readonly timeoutMs: number;
  /** Says what the first bytes are; undefined where that is not wanted. */
  readonly sniff: (head: Uint8Array) => string | undefined;
  readonly signal?: AbortSignal;
  readonly resolve?: Resolve;
}

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** What is sniffed. */
const HEAD_BYTES = 1024;

/**
 * The bytes at a URL. Every redirect is a new URL with all its checks; nothing of an answer is believed but its bytes. Throws
 * URL_UNSUPPORTED, URL_REFUSED, DOWNLOAD_FAILED, IMAGE_TOO_LARGE, IMAGE_INVALID, and the reason of `signal`.
 */
export async function download(said: string, options: DownloadOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { policy, timeoutMs, signal, resolve = resolveByDns } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const end = signal ? AbortSignal.any([signal, timeout]) : timeout;
  let next = said;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const { url, isTrusted } = checkUrl(next, policy);
    try {
      const agent = await within(end, dial(url, { isTrusted, resolve, timeoutMs }));
      try {
        const answer = await request(url, { dispatcher: agent, signal: end, headers: HEADERS });
        const { location } = answer.headers;
        if (!REDIRECTS.has(answer.statusCode)) return await read(answer, url, options);
        if (typeof location !== 'string' || !URL.canParse(location, url.href))
          throw failed(url, 'a redirect that leads somewhere', 'one that does not');
        next = new URL(location, url).href;
      } finally {
        // Not `close`: what is left of an answer is not waited for.
        await agent.destroy();
      }
    } catch (error) {
      if (error instanceof VlmoError) throw error;
      signal?.throwIfAborted();
      if (timeout.aborted) throw failed(url, `an answer within ${timeoutMs / 1000} s`, 'none');
      throw failed(url, 'an answer', reasonOf(error), error);
    }
  }
  throw failed(new URL(said), `at most ${MAX_REDIRECTS} redirects`, 'more');
}

/** Unpacking is a way to many bytes from few. */
const HEADERS = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'vlmo-pipeline' };

async function read(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  url: URL,
  { maxBytes, sniff }: DownloadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (statusCode !== 200) throw failed(url, 'status 200', String(statusCode));
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw failed(url, 'bytes as they are', 'packed ones');
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(url, maxBytes);
  const pieces: Buffer[] = [];
  let size = 0;
  let isKnown = false;
  for await (const piece of body as AsyncIterable<Buffer>) {
    pieces.push(piece);
    size += piece.length;
    if (size > maxBytes) throw tooLarge(url, maxBytes);
    if (!isKnown && size >= HEAD_BYTES) isKnown = requireKind(Buffer.concat(pieces), url, sniff);
  }
  const bytes = new Uint8Array(Buffer.concat(pieces));
  if (!isKnown) requireKind(bytes, url, sniff);
  return bytes;
}

function requireKind(head: Uint8Array, { hostname }: URL, sniff: DownloadOptions['sniff']): true {
  if (sniff(head.subarray(0, HEAD_BYTES)) !== undefined) return true;
  throw new VlmoError(
    'IMAGE_INVALID',
    `Cannot download from "${hostname}": expected a picture, received something else`,
  );
}

/** Ends waiting for what knows no signal. */
function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const give = (): void => reject(signal.reason as Error);
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
  return Promise.race([work, aborted]);
}

function failed({ hostname }: URL, expected: string, received: string, cause?: unknown): VlmoError {
  return new VlmoError(
    'DOWNLOAD_FAILED',
    `Cannot download from "${hostname}": expected ${expected}, received ${received}`,
    { cause },
  );
}

function tooLarge({ hostname }: URL, maxBytes: number): VlmoError {
  return new VlmoError(
    'IMAGE_TOO_LARGE',
    `Cannot download from "${hostname}": expected at most ${maxBytes} bytes, received more (--max-image-bytes sets the limit)`,
  );
}

/** What went wrong, without the addresses that messages of sockets hold. */
function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code ?? errorMessage(error).split('\n')[0] ?? 'nothing';
}
