import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import type { App, ServerParts } from '../parts.ts';

const partSchema = z.object({
  part: z.string(),
  ready: z.boolean(),
  /** Why it is not. */
  reason: z.string().nullable(),
});
const readySchema = z.object({ ready: z.boolean(), parts: z.array(partSchema) }).meta({ id: 'Ready' });
type Part = z.output<typeof partSchema>;

/** `/health`: this process answers. `/ready`: what it needs is there, part by part. */
export function addHealth(app: App, parts: ServerParts): void {
  app.get(
    '/health',
    {
      config: { scope: 'public' },
      schema: { tags: ['operations'], response: { 200: z.object({ status: z.literal('ok') }) } },
    },
    async () => ({ status: 'ok' as const }),
  );
  app.get(
    '/ready',
    {
      config: { scope: 'public' },
      schema: { tags: ['operations'], response: { 200: readySchema, 503: readySchema } },
    },
    async (_, reply) => {
      const found = [await indexPart(parts), modelPart(parts)];
      const ready = found.every((part) => part.ready);
      return reply.code(ready ? 200 : 503).send({ ready, parts: found });
    },
  );
}

async function indexPart({ index, config, keys }: ServerParts): Promise<Part> {
  try {
    await index.serving(config.collection);
    return { part: 'index', ready: true, reason: null };
  } catch (error) {
    // Anybody may ask this: where keys are needed, paths are not for everybody.
    const code = error instanceof VlmoError ? error.code : 'SERVER_FAILED';
    return { part: 'index', ready: false, reason: keys.size > 0 ? code : errorMessage(error) };
  }
}

function modelPart({ readiness: { warm }, keys }: ServerParts): Part {
  const why = warm instanceof Error ? (keys.size > 0 ? 'it cannot be loaded' : warm.message) : null;
  const reason = warm === 'loading' ? 'it is being loaded' : why;
  return { part: 'model', ready: warm === 'ready', reason };
}
