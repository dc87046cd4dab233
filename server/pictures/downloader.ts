import { createDownloadClient } from '#download/client.ts';
import { pictureKind } from '#download/picture-kind.ts';
import { isLoopback } from '../guards/origin.ts';
import type { ServeConfig, ServerParts } from '../parts.ts';

export interface Downloader extends AsyncDisposable {
  readonly download: NonNullable<ServerParts['download']>;
}

/** Somebody waits for the answer. */
const TIMEOUT_MS = 20_000;
const PER_HOST = 16;
const CONCURRENCY = 64;

/** Whether public hosts that nobody named may be asked. */
export function fetchesFromAnyone({
  host,
  fetch: isTold,
  fetchOnlyAllowed,
}: Pick<ServeConfig, 'host' | 'fetch' | 'fetchOnlyAllowed'>): boolean {
  return (isTold || isLoopback(host)) && !fetchOnlyAllowed;
}

/**
 * Gets pictures by their URLs: of public hosts where the server is asked by this machine alone or was told to, and of those
 * that were named; undefined where neither. A picture to search by goes into no data set: robots are not asked.
 */
export function createDownloader(config: ServeConfig): Downloader | undefined {
  const { fetchAllows: allowed = [], maxImageBytes: maxBytes } = config;
  const isOpen = fetchesFromAnyone(config);
  if (!isOpen && allowed.length === 0) return undefined;
  const client = createDownloadClient({
    ...{ policy: { isOpen, allowed }, maxBytes, timeoutMs: TIMEOUT_MS, retries: 0, obeysRobots: false },
    ...{ perHost: PER_HOST, concurrency: CONCURRENCY },
  });
  return {
    async download(url, signal) {
      const found = await client.get(url, { sniff: pictureKind, signal });
      if (found.kind === 'bytes') return found.bytes;
      throw new Error('Unchanged, where nothing was known: this is a bug');
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}
