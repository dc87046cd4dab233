import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Agent } from 'undici';
import { VlmoError } from '#errors.ts';
import { isPublicAddress } from './public-address.ts';

/** All addresses of a name. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const resolveByDns: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/**
 * A connection to exactly an address that was looked at: the name is resolved once, all of its answers have to be public,
 * and nobody resolves it again. Throws URL_REFUSED, DOWNLOAD_FAILED.
 */
export async function dial(
  { hostname }: URL,
  { isTrusted, resolve, timeoutMs }: { isTrusted: boolean; resolve: Resolve; timeoutMs: number },
): Promise<Agent> {
  const name = hostname.replace(/^\[(.*)\]$/, '$1');
  const addresses = isIP(name) ? [name] : await resolve(name).catch(() => []);
  const [first] = addresses;
  if (first === undefined)
    throw new VlmoError(
      'DOWNLOAD_FAILED',
      `Cannot download from "${hostname}": expected a name that has an address, received one that has none`,
    );
  // One that is not public among several is a way in as well as one alone.
  if (!isTrusted && !addresses.every(isPublicAddress))
    throw new VlmoError(
      'URL_REFUSED',
      `Cannot download from "${hostname}": expected an address that everybody reaches, received one of a private or reserved network`,
    );
  const family = isIP(first);
  return new Agent({
    connect: {
      timeout: timeoutMs,
      lookup: (_, { all }, answer) =>
        all ? answer(null, [{ address: first, family }]) : answer(null, first, family),
    },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxHeaderSize: 16_384,
    pipelining: 1,
  });
}
