import { z } from 'zod';
import { VlmoError } from '#errors.ts';
import { SESSION_COOKIE, SESSION_SECONDS, sealSession } from '../guards/session.ts';
import type { App, ServerParts } from '../parts.ts';

const loginSchema = z.strictObject({ key: z.string().min(1).max(1024) }).meta({ id: 'Login' });
const answerSchema = z.object({ scope: z.enum(['read', 'submit', 'admin']) }).meta({ id: 'Session' });

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>vlmo: log in</title>
<main>
<h1>Log in</h1>
<form method="post">
<p><label>Key <input name="key" type="password" autocomplete="current-password" required autofocus></label></p>
<p><button>Log in</button></p>
</form>
</main>
`;

/**
 * `/login` takes a key once and gives a cookie in its place, for what sends no headers: pictures, event streams, a page. It
 * is HttpOnly and SameSite=Strict, and Secure behind https.
 */
export function addLogin(app: App, { keys, config }: ServerParts): void {
  const open = { scope: 'public' } as const;
  const path = `${config.basePath.replace(/\/+$/, '')}/`;
  app.get('/login', { config: open, schema: { hide: true } }, async (_, reply) =>
    reply.type('text/html; charset=utf-8').serializer(String).send(PAGE),
  );
  app.register(async (inner) => {
    inner.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: 4096 },
      async (_: unknown, body: string) => Object.fromEntries(new URLSearchParams(body)),
    );
    (inner as unknown as App).post(
      '/login',
      {
        config: open,
        schema: {
          tags: ['operations'],
          summary: 'A cookie for a key',
          body: loginSchema,
          response: { 200: answerSchema },
        },
      },
      async (request, reply) => {
        const known = keys.find(request.body.key);
        if (!known)
          throw new VlmoError(
            'KEY_REQUIRED',
            'Cannot log in: expected a key that the server knows, received another one',
          );
        const parts = [
          `${SESSION_COOKIE}=${sealSession(keys, known)}`,
          ...[`Path=${path}`, `Max-Age=${SESSION_SECONDS}`, 'HttpOnly', 'SameSite=Strict'],
          ...(request.protocol === 'https' ? ['Secure'] : []),
        ];
        reply.header('set-cookie', parts.join('; '));
        const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
        return isForm ? reply.redirect(path, 303) : reply.send({ scope: known.scope });
      },
    );
  });
  app.post(
    '/logout',
    { config: open, schema: { tags: ['operations'], summary: 'Take the cookie back' } },
    async (_, reply) =>
      reply
        .header('set-cookie', `${SESSION_COOKIE}=; Path=${path}; Max-Age=0; HttpOnly; SameSite=Strict`)
        .code(204)
        .send(),
  );
}
