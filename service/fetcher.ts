import type { DownloadClient } from '#download/client.ts';
import type { Fetcher } from '#pipeline/fetcher.ts';
import { Spool } from '#pipeline/spool.ts';
import type { Settings } from './settings.ts';

const MIB = 1024 * 1024;
/** Pictures in the spool for each download at a time: those of slow hosts keep nobody from a free place. */
const PLACES_PER_DOWNLOAD = 8;

/** What an opened index downloads with. The client is made when the first picture lies elsewhere: it costs time to load. */
export function createFetcher(settings: Settings): Fetcher & AsyncDisposable {
  let made: Promise<DownloadClient> | undefined;
  const { fetchConcurrency, fetchMemory } = settings;
  return {
    client() {
      made ??= makeClient(settings);
      return made;
    },
    spool: new Spool({ places: PLACES_PER_DOWNLOAD * fetchConcurrency, bytes: fetchMemory * MIB }),
    async [Symbol.asyncDispose]() {
      await (await made)?.[Symbol.asyncDispose]();
    },
  };
}

async function makeClient(settings: Settings): Promise<DownloadClient> {
  const { createDownloadClient } = await import('#download/client.ts');
  const { fetchAllows = [], fetchOnlyAllowed, fetchConcurrency, fetchPerHost, fetchTimeout } = settings;
  return createDownloadClient({
    policy: { isOpen: !fetchOnlyAllowed, allowed: fetchAllows },
    maxBytes: settings.maxImageBytes,
    timeoutMs: fetchTimeout * 1000,
    retries: settings.fetchRetries,
    perHost: fetchPerHost,
    concurrency: fetchConcurrency,
    obeysRobots: !settings.ignoreRobots,
    s3: settings.s3 ? process.env : undefined,
  });
}
