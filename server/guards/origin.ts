import { isIPv4 } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { VlmoError } from '#errors.ts';
import type { App, ServeConfig } from '../parts.ts';

/**
 * A web page that somebody has open must not ask this server in their name: what comes from another site is refused,
 * whatever it asks and whatever type its body says, unless the site was named. On this machine the Host header has to be
 * this machine's too, since a page may make its own name point here. Throws ORIGIN_REFUSED, HOST_REFUSED.
 */
export function guardOrigin(app: App, { host, corsOrigins = [] }: ServeConfig): void {
  const allowed = new Set(corsOrigins);
  const isLocal = isLoopback(host);
  app.addHook('onRequest', async (request, reply) => {
    if (isLocal && !isLoopback(hostName(request.host)))
      throw new VlmoError(
        'HOST_REFUSED',
        `Cannot answer: expected the host to be this machine, received ${JSON.stringify(request.host)}`,
      );
    const { origin } = request.headers;
    const isNamed = origin !== undefined && allowed.has(origin);
    if (isNamed) allow(reply, origin);
    else requireSameSite(request);
    if (request.method !== 'OPTIONS' || !isNamed) return;
    return reply
      .header('access-control-allow-methods', 'GET, HEAD, POST, DELETE')
      .header(
        'access-control-allow-headers',
        'authorization, content-type, idempotency-key, last-event-id, x-api-key',
      )
      .header('access-control-max-age', '600')
      .code(204)
      .send();
  });
}

/** Whether an address is of this machine alone. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'));
}

/** The host of a Host header without its port. */
function hostName(host: string): string {
  return host.replace(/:\d*$/, '').replace(/\.$/, '');
}

function allow(reply: FastifyReply, origin: string): void {
  reply
    .header('access-control-allow-origin', origin)
    .header('vary', 'Origin')
    .header('access-control-expose-headers', 'retry-after, x-request-id, warning')
    .header('cross-origin-resource-policy', 'cross-origin');
}

function requireSameSite({ headers, host }: FastifyRequest): void {
  const { origin, 'sec-fetch-site': site } = headers;
  const isForeign = origin !== undefined && hostOf(origin) !== host.toLowerCase();
  if (!isForeign && site !== 'cross-site') return;
  const received = origin === undefined ? 'another one' : JSON.stringify(origin);
  throw new VlmoError(
    'ORIGIN_REFUSED',
    `Cannot answer: expected a request of no other web site (--cors-origin names those that may ask), received one of ${received}`,
  );
}

/** `host:port` of an origin; undefined for `null` and what is none. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
