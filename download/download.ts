import { type Dispatcher, request } from 'undici';
import { VlmoError } from '#errors.ts';
import { throwIfMachine } from '#machine-error.ts';
import packageJson from '#package.json' with { type: 'json' };
import { Deadline } from './deadline.ts';
import type { Dial } from './dial.ts';
import { downloadError, reasonOf, statusError } from './download-error.ts';
import { checkUrl, type DownloadPolicy } from './host-policy.ts';
import { type BodyLimits, readBody } from './read-body.ts';
import { retryAfterMs } from './retry-after.ts';
import { disallowedBy } from './robots-tag.ts';
import { stampOf, type Validators, validatorsOf } from './validators.ts';

export interface DownloadOptions extends BodyLimits {
  readonly policy: DownloadPolicy;
  readonly dial: Dial;
  /** For all of it, redirects too. */
  readonly timeoutMs: number;
  /** Whether what a server keeps from data sets (`X-Robots-Tag`) is left there. */
  readonly obeysRobots: boolean;
  /** Stamp of what is had already: where it is the same still, nothing is sent. */
  readonly stamp?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What says who asks, for this URL alone: one that is signed is not led on to another. */
  readonly signed?: Readonly<Record<string, string>> | undefined;
}

/** What lies at a URL, with a stamp that changes when it does, where the server gives one; or that it is as it was. */
export type Downloaded =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer>; readonly stamp: string | undefined }
  | { readonly kind: 'unchanged' };

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** What `X-Robots-Tag` calls us. */
const AGENT = packageJson.name;

/**
 * Asks once for what lies at a URL. Every redirect is a new URL with all its checks; nothing of an answer is believed but
 * its bytes. Throws URL_UNSUPPORTED, URL_REFUSED, DOWNLOAD_FAILED, DOWNLOAD_TIMEOUT, DOWNLOAD_NOT_FOUND, DOWNLOAD_REFUSED,
 * ROBOTS_REFUSED, IMAGE_TOO_LARGE, IMAGE_INVALID, and the reason of `signal`.
 */
export async function download(said: string, options: DownloadOptions): Promise<Downloaded> {
  const { policy, dial, timeoutMs, signal, stamp, signed } = options;
  const validators = stamp ? validatorsOf(stamp) : {};
  using deadline = new Deadline(timeoutMs, signal);
  let next = said;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const checked = checkUrl(next, policy);
    const { url } = checked;
    try {
      const answer = await request(url, {
        dispatcher: dial(checked),
        signal: deadline.signal,
        headers: { ...HEADERS, ...validators, ...signed },
      });
      // An answer that nobody reads to its end may break later, unheard.
      answer.body.on('error', () => undefined);
      try {
        if (!REDIRECTS.has(answer.statusCode)) return await take(answer, url, options, validators, deadline);
        if (signed)
          throw downloadError('DOWNLOAD_REFUSED', url, 'the object', 'a redirect; AWS_REGION may be wrong');
        next = redirected(answer, url);
      } finally {
        answer.body.destroy();
      }
    } catch (error) {
      if (error instanceof VlmoError) throw error;
      signal?.throwIfAborted();
      if (deadline.isOver || isTimeout(error))
        throw downloadError('DOWNLOAD_TIMEOUT', url, `an answer within ${timeoutMs / 1000} s`, 'none');
      throwIfMachine(`Cannot download from "${url.hostname}"`, error);
      throw downloadError('DOWNLOAD_FAILED', url, 'an answer', reasonOf(error), { cause: error });
    }
  }
  throw downloadError('DOWNLOAD_REFUSED', new URL(said), `at most ${MAX_REDIRECTS} redirects`, 'more');
}

const HEADERS = {
  accept: 'image/*,*/*;q=0.5',
  'accept-encoding': 'identity',
  'user-agent': `${AGENT}/${packageJson.version} (+https://www.npmjs.com/package/${AGENT})`,
};

function redirected({ headers: { location } }: Dispatcher.ResponseData, url: URL): string {
  if (typeof location === 'string' && URL.canParse(location, url.href)) return new URL(location, url).href;
  throw downloadError('DOWNLOAD_REFUSED', url, 'a redirect that leads somewhere', 'one that does not');
}

async function take(
  answer: Dispatcher.ResponseData,
  url: URL,
  options: DownloadOptions,
  validators: Validators,
  deadline: Deadline,
): Promise<Downloaded> {
  const { statusCode, headers } = answer;
  if (statusCode === 304 && Object.keys(validators).length > 0) return { kind: 'unchanged' };
  if (statusCode !== 200) throw statusError(url, statusCode, retryAfterMs(headers['retry-after']));
  const directive = options.obeysRobots ? disallowedBy(headers['x-robots-tag'], AGENT) : undefined;
  if (directive !== undefined)
    throw downloadError(
      'ROBOTS_REFUSED',
      url,
      'a picture that its server leaves to data sets',
      `"${directive}" (X-Robots-Tag)`,
    );
  const { maxBytes, sniff, room } = options;
  const paused = (bytes: number): Promise<void> | undefined => {
    const wait = room?.(bytes);
    return wait && deadline.pausedFor(wait);
  };
  const bytes = await readBody(answer, url, { maxBytes, sniff, room: paused });
  return { kind: 'bytes', bytes, stamp: stampOf(headers) };
}

function isTimeout(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'].includes(
    code ?? '',
  );
}
