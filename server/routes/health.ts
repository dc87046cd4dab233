import { z } from 'zod';
import { errorMessage } from '#errors.ts';
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

async function indexPart({ index, config }: ServerParts): Promise<Part> {
  try {
    await index.serving(config.collection);
    return { part: 'index', ready: true, reason: null };
  } catch (error) {
    return { part: 'index', ready: false, reason: errorMessage(error) };
  }
}

function modelPart({ readiness: { warm } }: ServerParts): Part {
  const reason = warm === 'ready' ? null : warm === 'loading' ? 'it is being loaded' : warm.message;
  return { part: 'model', ready: warm === 'ready', reason };
}
