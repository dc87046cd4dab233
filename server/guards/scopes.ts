import type {} from 'fastify';

/** What a request must be allowed to do: each scope holds those before it. `public` asks for no key. */
export type Scope = 'public' | 'read' | 'submit' | 'admin';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Left out, `admin`: a route that forgets to say is closed. */
    scope?: Scope;
    /** Whether its key may stand in its path, for clients that send no headers: one that only reads. */
    keyInPath?: boolean;
  }
}
