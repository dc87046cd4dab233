import { lookup } from 'node:dns/promises';

/** All addresses of a name. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const resolveByDns: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/** The system's resolver tells no time to live; names that change say less than a minute. */
const KEPT_MS = 30_000;
const MAX_NAMES = 4096;

/** Remembers answers for a short while, also that there is none, and asks once for all who ask at the same time. */
export function rememberNames(resolve: Resolve, now: () => number = Date.now): Resolve {
  const known = new Map<string, { readonly until: number; readonly addresses: Promise<readonly string[]> }>();
  return (host) => {
    const found = known.get(host);
    if (found && found.until > now()) return found.addresses;
    const addresses = resolve(host);
    known.delete(host);
    known.set(host, { until: now() + KEPT_MS, addresses });
    const [oldest] = known.keys();
    if (known.size > MAX_NAMES && oldest !== undefined) known.delete(oldest);
    return addresses;
  };
}
