import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { VlmoError } from '#errors.ts';
import { providePage } from '../page/provide-page.ts';
import type { App, ServerParts } from '../parts.ts';

const byName = z.strictObject({ name: z.string().regex(/^[\w-]+\.(js|css)$/) });
const TYPES: Readonly<Record<string, string>> = { js: 'text/javascript', css: 'text/css' };

/** The page at `/`, which asks the same routes as everybody else; it asks for its key itself, so it is open. */
export function addPage(app: App, { config }: ServerParts): void {
  const prefix = config.basePath.replace(/\/+$/, '');
  const open = { config: { scope: 'public' }, schema: { hide: true } } as const;
  let folder: Promise<string> | undefined;
  const find = (): Promise<string> => {
    folder ??= providePage();
    folder.catch(() => {
      folder = undefined;
    });
    return folder;
  };
  app.get('/', open, async (request, reply): Promise<FastifyReply> => {
    // Its addresses are relative to the folder that it lies in.
    const [path = '', query] = request.url.split('?');
    if (!path.endsWith('/'))
      return reply.redirect(`${prefix}/${query === undefined ? '' : `?${query}`}`, 308);
    const html = await readFile(join(await find(), 'index.html'));
    return reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(html);
  });
  app.get(
    '/assets/:name',
    { ...open, schema: { hide: true, params: byName } },
    async ({ params: { name } }, reply): Promise<FastifyReply> => {
      const bytes = await readFile(join(await find(), 'assets', name)).catch(() => {
        throw new VlmoError('ROUTE_NOT_FOUND', `Cannot GET assets/${name}: there is no such file`);
      });
      // Its name holds a digest of its content.
      reply.header('cache-control', 'public, max-age=31536000, immutable');
      return reply.type(`${TYPES[name.split('.').at(-1) ?? '']}; charset=utf-8`).send(bytes);
    },
  );
}
