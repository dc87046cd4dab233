import { isIP, type LookupFunction } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import { VlmoError } from '#errors.ts';
import type { CheckedUrl } from './host-policy.ts';
import { isPublicAddress } from './public-address.ts';
import type { Resolve } from './resolve-name.ts';

/** Connections to addresses that were looked at, kept open for what is asked next. */
export interface Dial {
  /** What a URL is asked through. Throws URL_REFUSED where its host is an address, and a private one. */
  (checked: CheckedUrl): Dispatcher;
  close(): Promise<void>;
}

export interface DialOptions {
  readonly resolve: Resolve;
  readonly timeoutMs: number;
  /** Connections to one host at most. */
  readonly perHost: number;
}

/** How long a connection that nobody uses is kept. */
const IDLE_MS = 4000;

/**
 * A name is resolved once for a connection, all of its answers have to be public unless its host is trusted, and what is
 * dialled are these answers: nobody resolves it again in between.
 */
export function createDial({ resolve, timeoutMs, perHost }: DialOptions): Dial {
  const agent = (isTrusted: boolean): Agent =>
    new Agent({
      allowH2: true,
      connections: perHost,
      connect: { timeout: timeoutMs, lookup: checkedLookup(resolve, isTrusted) },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      keepAliveTimeout: IDLE_MS,
      maxHeaderSize: 16_384,
    });
  const agents = { trusted: agent(true), others: agent(false) };
  const dial = ({ url, isTrusted }: CheckedUrl): Dispatcher => {
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    // An address is dialled without a lookup.
    if (!isTrusted && isIP(host) && !isPublicAddress(host)) throw refused(host);
    return isTrusted ? agents.trusted : agents.others;
  };
  return Object.assign(dial, {
    async close() {
      // Not `close`: what is left of an answer is not waited for.
      await Promise.all([agents.trusted.destroy(), agents.others.destroy()]);
    },
  });
}

function checkedLookup(resolve: Resolve, isTrusted: boolean): LookupFunction {
  return (host, { all }, answer) => {
    resolve(host).then(
      (addresses) => {
        // One that is not public among several is a way in as well as one alone.
        if (!isTrusted && !addresses.every(isPublicAddress)) return answer(refused(host), '');
        const found = addresses.map((address) => ({ address, family: isIP(address) }));
        const [first] = found;
        if (!first) return answer(noAddress(host), '');
        return all ? answer(null, found) : answer(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => answer(error, ''),
    );
  };
}

function refused(host: string): VlmoError {
  return new VlmoError(
    'URL_REFUSED',
    `Cannot download from "${host}": expected an address that everybody reaches, received one of a private or reserved network (--fetch-allow lets it be asked)`,
  );
}

function noAddress(host: string): Error {
  return Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' });
}
