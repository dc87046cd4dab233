import type { FastifyRequest } from 'fastify';
import { VlmoError } from '#errors.ts';
import type { App, ServerParts } from '../parts.ts';
import type { KnownKey } from './keys.ts';
import type { Scope } from './scopes.ts';
import { openSession } from './session.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The key that it came with; undefined where the server asks for none. */
    knownKey: KnownKey | undefined;
  }
}

const SCOPES: readonly Scope[] = ['public', 'read', 'submit', 'admin'];

/** Lets a request through whose key may do what its route does. Throws KEY_REQUIRED, SCOPE_MISSING. */
export function guardAccess(app: App, { keys }: Pick<ServerParts, 'keys'>): void {
  app.decorateRequest('knownKey', undefined);
  app.addHook('onRequest', async (request) => {
    const scope = request.routeOptions.config.scope ?? 'admin';
    if (keys.size === 0 || scope === 'public' || request.is404) return;
    const given = givenKey(request);
    const session = given === undefined ? openSession(keys, request.headers.cookie) : undefined;
    if (session) requireOwnPage(request);
    const known = given === undefined ? session : keys.find(given);
    if (!known) throw required(given !== undefined);
    request.knownKey = known;
    if (known.scope !== 'read' && inPath(request) !== undefined)
      throw new VlmoError(
        'SCOPE_MISSING',
        `Cannot answer: expected a key in the path that only reads, received one with "${known.scope}"`,
      );
    if (SCOPES.indexOf(known.scope) < SCOPES.indexOf(scope))
      throw new VlmoError(
        'SCOPE_MISSING',
        `Cannot ${request.method} ${request.routeOptions.url ?? ''}: expected a key with scope "${scope}", received one with "${known.scope}"`,
      );
  });
}

/** As `Authorization: Bearer KEY` or `X-API-Key: KEY`. */
function givenKey(request: FastifyRequest): string | undefined {
  const { headers } = request;
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const own = headers['x-api-key'];
  return bearer ?? (typeof own === 'string' && own !== '' ? own : inPath(request));
}

function inPath({ routeOptions, params }: FastifyRequest): string | undefined {
  if (routeOptions.config.keyInPath !== true) return undefined;
  return (params as { readonly key?: string }).key;
}

/** A browser sends the cookie by itself: what changes something has to say that it comes from a page of this server. */
function requireOwnPage({ method, headers, host }: FastifyRequest): void {
  if (method === 'GET' || method === 'HEAD') return;
  const { origin, 'sec-fetch-site': site } = headers;
  if (site === 'same-origin' || (origin !== undefined && URL.parse(origin)?.host === host.toLowerCase()))
    return;
  throw new VlmoError(
    'ORIGIN_REFUSED',
    'Cannot answer: expected an Origin of this server beside a cookie, received none; send the key as a header',
  );
}

function required(isGiven: boolean): VlmoError {
  const received = isGiven ? 'a key that is not known' : 'none';
  return new VlmoError(
    'KEY_REQUIRED',
    `Cannot answer: expected a key ("Authorization: Bearer KEY"), received ${received}`,
  );
}
