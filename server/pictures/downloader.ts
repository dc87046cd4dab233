import { download } from '#download/download.ts';
import { pictureKind } from '#download/picture-kind.ts';
import { isLoopback } from '../guards/origin.ts';
import type { ServeConfig, ServerParts } from '../parts.ts';

const TIMEOUT_MS = 20_000;

/**
 * Gets pictures by their URLs: of public hosts where the server is asked by this machine alone or was told to, and of those
 * that were named; undefined where neither.
 */
export function createDownloader({
  host,
  fetch: isTold,
  fetchAllows: allowed = [],
  maxImageBytes: maxBytes,
}: ServeConfig): ServerParts['download'] {
  const isOpen = isTold || isLoopback(host);
  if (!isOpen && allowed.length === 0) return undefined;
  const options = { policy: { isOpen, allowed }, maxBytes, timeoutMs: TIMEOUT_MS, sniff: pictureKind };
  return (url, signal) => download(url, { ...options, signal });
}
