import { VlmoError } from '#errors.ts';

interface Login {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

interface Node {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is, in one of the ways that ioredis knows. */
export type RedisAddress =
  | (Login & Node & { readonly kind: 'server'; readonly tls: boolean; readonly db: number })
  | (Login & { readonly kind: 'socket'; readonly path: string; readonly db: number })
  | (Login & {
      readonly kind: 'sentinel';
      readonly tls: boolean;
      readonly sentinels: readonly Node[];
      /** What the sentinels call the master. */
      readonly master: string;
      readonly db: number;
    })
  | (Login & { readonly kind: 'cluster'; readonly tls: boolean; readonly nodes: readonly Node[] });

/** Where Redis is when nobody says. */
export const DEFAULT_REDIS_URL = 'redis://127.0.0.1:6379';

const FORMS =
  'redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss://… for TLS, unix:///PATH, ' +
  'redis-sentinel://HOST:PORT,HOST:PORT/MASTER[/DB] or redis-cluster://HOST:PORT,HOST:PORT';
const PORT = 6379;
const SENTINEL_PORT = 26_379;

/** Reads `REDIS_URL`. Throws CONFIG_INVALID, which never shows a password. */
export function parseRedisUrl(url: string): RedisAddress {
  const [, written = '', rest = ''] = /^([a-z-]+):\/\/(.*)$/is.exec(url.trim()) ?? [];
  const scheme = written.toLowerCase();
  const tls = scheme.startsWith('rediss');
  const { login, hosts, path } = split(rest, url);
  switch (scheme) {
    case 'redis':
    case 'rediss': {
      const [node, another] = readNodes(hosts, PORT, url);
      if (!node || another || path.length > 1) throw invalid(url);
      return { kind: 'server', tls, ...login, ...node, db: readDb(path[0], url) };
    }
    case 'unix':
      if (hosts !== '' || path.length === 0) throw invalid(url);
      return { kind: 'socket', path: `/${path.join('/')}`, ...login, db: 0 };
    case 'redis-sentinel':
    case 'rediss-sentinel': {
      const [master, db, ...more] = path;
      const sentinels = readNodes(hosts, SENTINEL_PORT, url);
      if (!master || more.length > 0 || sentinels.length === 0) throw invalid(url);
      return { kind: 'sentinel', tls, ...login, sentinels, master, db: readDb(db, url) };
    }
    case 'redis-cluster':
    case 'rediss-cluster': {
      const nodes = readNodes(hosts, PORT, url);
      if (nodes.length === 0 || path.length > 0) throw invalid(url);
      return { kind: 'cluster', tls, ...login, nodes };
    }
    default:
      throw invalid(url);
  }
}

/** For messages: never with a password. */
export function describeAddress(address: RedisAddress): string {
  if (address.kind === 'socket') return `unix://${address.path}`;
  const scheme = address.tls ? 'rediss' : 'redis';
  switch (address.kind) {
    case 'server':
      return `${scheme}://${list([address])}/${address.db}`;
    case 'sentinel':
      return `${scheme}-sentinel://${list(address.sentinels)}/${address.master}/${address.db}`;
    case 'cluster':
      return `${scheme}-cluster://${list(address.nodes)}`;
  }
}

function list(nodes: readonly Node[]): string {
  return nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',');
}

interface Parts {
  readonly login: Login;
  readonly hosts: string;
  readonly path: readonly string[];
}

function split(rest: string, url: string): Parts {
  if (/[?#\s]/.test(rest)) throw invalid(url);
  const at = rest.lastIndexOf('@');
  const [hosts = '', ...path] = rest.slice(at + 1).split('/');
  const [user = '', ...password] = rest.slice(0, Math.max(0, at)).split(':');
  try {
    const login = {
      username: decodeURIComponent(user) || undefined,
      password: decodeURIComponent(password.join(':')) || undefined,
    };
    const segments = path.filter((segment) => segment !== '').map(decodeURIComponent);
    return { login: at < 0 ? {} : login, hosts, path: segments };
  } catch {
    throw invalid(url);
  }
}

function readNodes(hosts: string, defaultPort: number, url: string): Node[] {
  return hosts.split(',').map((text) => {
    const [, host = '', digits] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d+))?$/i.exec(text) ?? [];
    const port = digits === undefined ? defaultPort : Number(digits);
    if (host === '' || port < 1 || port > 65_535) throw invalid(url);
    return { host: host.replace(/^\[|\]$/g, ''), port };
  });
}

function readDb(text: string | undefined, url: string): number {
  if (text === undefined) return 0;
  if (!/^\d{1,5}$/.test(text)) throw invalid(url);
  return Number(text);
}

/** Shows nothing that may be a password: what is before an "@", or in a query. */
function invalid(url: string): VlmoError {
  const shown = url.replace(/^([a-z-]+:\/\/)?.*@/is, '$1…@').replace(/[?#].*$/s, '?…');
  return new VlmoError('CONFIG_INVALID', `Cannot use REDIS_URL: expected ${FORMS}, received "${shown}"`);
}
