import { setTimeout as sleep } from 'node:timers/promises';
import { VlmoError } from '#errors.ts';
import { schemeOf } from '#uri.ts';
import { createDial } from './dial.ts';
import { type Downloaded, type DownloadOptions, download } from './download.ts';
import { HostManners } from './host-manners.ts';
import type { DownloadPolicy } from './host-policy.ts';
import { postForm } from './post-form.ts';
import { type Resolve, rememberNames, resolveByDns } from './resolve-name.ts';
import { createS3 } from './s3/s3.ts';

export interface ClientOptions {
  readonly policy: DownloadPolicy;
  readonly maxBytes: number;
  /** For one attempt, redirects too. */
  readonly timeoutMs: number;
  /** How often what may pass is tried again. */
  readonly retries: number;
  /** Downloads from one host at a time. */
  readonly perHost: number;
  /** Downloads at a time in all. */
  readonly concurrency: number;
  readonly obeysRobots: boolean;
  /** Asks for `s3://`; left out, that is refused. */
  readonly s3?: NodeJS.ProcessEnv | undefined;
  readonly resolve?: Resolve;
}

export type Asked = Pick<DownloadOptions, 'sniff' | 'stamp' | 'room' | 'signal'>;

/** The one way out: every download of a program goes through one, which holds connections, names and manners. */
export interface DownloadClient extends AsyncDisposable {
  /** Throws what `download` throws, after the last attempt. */
  get(url: string, asked: Asked): Promise<Downloaded>;
}

const FIRST_WAIT_MS = 500;
/** Longer than that nobody waits for a server: the picture is listed as failed, and the next run asks again. */
const MAX_WAIT_MS = 60_000;

export function createDownloadClient(options: ClientOptions): DownloadClient {
  const { resolve = resolveByDns, timeoutMs, perHost, concurrency, retries } = options;
  const dial = createDial({ resolve: rememberNames(resolve), timeoutMs, perHost });
  const manners = new HostManners(perHost, concurrency);

  const { s3: env } = options;
  const s3 = env && createS3(env, (url, body) => postForm(dial, url, body, timeoutMs));

  /** One attempt, signed anew where it is of S3. */
  async function attempt(url: string, asked: Asked): Promise<Downloaded> {
    if (!s3 || schemeOf(url) !== 's3') return download(url, { ...options, ...asked, dial });
    const { url: address, headers: signed, isTrusted } = await s3(url);
    const allowed = isTrusted ? [...options.policy.allowed, new URL(address).host] : options.policy.allowed;
    const policy = { ...options.policy, allowed };
    return download(address, { ...options, ...asked, dial, policy, signed });
  }

  async function attempts(url: string, host: string, asked: Asked): Promise<Downloaded> {
    for (let tried = 0; ; tried++) {
      try {
        return await manners.ask(host, () => attempt(url, asked), asked.signal);
      } catch (error) {
        const waitMs = tried < retries ? waitBefore(error, tried) : undefined;
        if (waitMs === undefined) throw error;
        if (error instanceof VlmoError && error.retryAfterMs !== undefined) manners.pause(host, waitMs);
        else await sleep(waitMs, undefined, { ...(asked.signal && { signal: asked.signal }) });
      }
    }
  }

  return {
    get(url, asked) {
      const host = URL.canParse(url) ? new URL(url).host : '';
      return manners.take(host, () => attempts(url, host, asked), asked.signal);
    },
    [Symbol.asyncDispose]: () => dial.close(),
  };
}

/** Milliseconds until another attempt; undefined where that is not worth it. Spread, so that not all come back at once. */
function waitBefore(error: unknown, tried: number): number | undefined {
  if (!(error instanceof VlmoError) || !error.retriable || isUnknownHost(error)) return undefined;
  const waitMs = error.retryAfterMs ?? FIRST_WAIT_MS * 2 ** tried * (0.5 + Math.random());
  return waitMs <= MAX_WAIT_MS ? waitMs : undefined;
}

function isUnknownHost({ cause }: VlmoError): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOTFOUND';
}
