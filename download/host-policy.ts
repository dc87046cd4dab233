import { VlmoError } from '#errors.ts';

/** From where may be downloaded. */
export interface DownloadPolicy {
  /** Whether from any address that everybody reaches, by the ports of http and https. */
  readonly isOpen: boolean;
  /** `HOST` or `HOST:PORT` beside: by any port, or that one, and whatever the address is. */
  readonly allowed: readonly string[];
}

const PORTS = new Set(['', '80', '443']);

/** A URL that may be asked, and whether its address may be any, not only a public one. */
export interface CheckedUrl {
  readonly url: URL;
  readonly isTrusted: boolean;
}

/** Throws URL_UNSUPPORTED, URL_REFUSED. */
export function checkUrl(said: string, { isOpen, allowed }: DownloadPolicy): CheckedUrl {
  const url = URL.canParse(said) ? new URL(said) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new VlmoError(
      'URL_UNSUPPORTED',
      `Cannot download ${shown(said)}: expected a URL with http or https, received another one`,
    );
  if (url.username !== '' || url.password !== '')
    throw new VlmoError(
      'URL_UNSUPPORTED',
      `Cannot download from "${url.hostname}": expected a URL without name and password, received one with`,
    );
  const isTrusted = allowed.some((one) => one === url.hostname || one === url.host || one === withPort(url));
  if (isTrusted) return { url, isTrusted };
  if (!isOpen)
    throw new VlmoError(
      'URL_REFUSED',
      `Cannot download from "${url.hostname}": expected a host that is allowed (--fetch-allow), received another one`,
    );
  if (!PORTS.has(url.port))
    throw new VlmoError(
      'URL_REFUSED',
      `Cannot download from "${url.hostname}": expected port 80 or 443, received ${url.port}`,
    );
  return { url, isTrusted };
}

function withPort({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
}

function shown(said: string): string {
  return JSON.stringify(said.length > 100 ? `${said.slice(0, 100)}…` : said);
}
