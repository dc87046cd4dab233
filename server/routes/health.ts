import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import { bullOptions } from '#queue/bull-queues.ts';
import { aliveWorkers } from '#queue/heartbeat.ts';
import type { App, ServerParts } from '../parts.ts';

const partSchema = z.object({
  part: z.string(),
  ready: z.boolean(),
  /** Whether searches need it. */
  needed: z.boolean(),
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
      const found = [await indexPart(parts), modelPart(parts), ...(await queueParts(parts))];
      const ready = found.every((part) => part.ready || !part.needed);
      return reply.code(ready ? 200 : 503).send({ ready, parts: found });
    },
  );
}

async function indexPart({ index, config, keys }: ServerParts): Promise<Part> {
  try {
    await index.serving(config.collection);
    return { part: 'index', needed: true, ready: true, reason: null };
  } catch (error) {
    // Anybody may ask this: where keys are needed, paths are not for everybody.
    const code = error instanceof VlmoError ? error.code : 'SERVER_FAILED';
    return { part: 'index', needed: true, ready: false, reason: keys.size > 0 ? code : errorMessage(error) };
  }
}

function modelPart({ readiness: { warm }, keys }: ServerParts): Part {
  const why = warm instanceof Error ? (keys.size > 0 ? 'it cannot be loaded' : warm.message) : null;
  const reason = warm === 'loading' ? 'it is being loaded' : why;
  return { part: 'model', needed: true, ready: warm === 'ready', reason };
}

/** How long Redis may take to answer here. */
const REDIS_MS = 2000;

/** Jobs need Redis and a worker that is alive; searches do not. */
async function queueParts({ index, queue }: ServerParts): Promise<Part[]> {
  if (!queue) return [];
  const { prefix } = bullOptions(queue.redis, index.id);
  const silence = setTimeout(REDIS_MS, undefined, { ref: false });
  const alive = await Promise.race([aliveWorkers(queue.redis, prefix), silence]).catch(() => undefined);
  const count = alive?.length ?? 0;
  const redis = alive ? null : 'it does not answer';
  const workers = count > 0 ? null : alive ? 'none is alive' : 'Redis does not answer';
  return [
    { part: 'redis', needed: false, ready: redis === null, reason: redis },
    { part: 'workers', needed: false, ready: workers === null, reason: workers },
  ];
}
