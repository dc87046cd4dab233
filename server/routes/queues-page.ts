import { VlmoError } from '#errors.ts';
import { openQueues } from '#queue/bull-queues.ts';
import { toProblem } from '../errors/problem.ts';
import { statusOf } from '../errors/status.ts';
import type { App, ServerParts } from '../parts.ts';

/** Its page names a font of another host, which this keeps from being asked for; it styles itself as it goes. */
const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'self'; frame-ancestors 'none'";

/** bull-board at `/admin/queues`, for whoever may do everything: the jobs of the index as Redis has them. */
export async function addQueuesPage(app: App, { index, queue, config }: ServerParts): Promise<void> {
  if (!queue) return;
  const [{ createBullBoard }, { BullMQAdapter }, { FastifyAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/fastify'),
  ]);
  const queues = openQueues(queue.redis, index.id);
  app.addHook('onClose', () => queues.close());
  const serverAdapter = new FastifyAdapter();
  const path = `${config.basePath.replace(/\/+$/, '')}/admin/queues`;
  serverAdapter.setBasePath(path);
  const { chunks, queries, retrievals } = queues;
  createBullBoard({
    queues: [chunks, queries, retrievals].map((one) => new BullMQAdapter(one)),
    serverAdapter,
  });
  // Its own would make a 500 of a key that is missing.
  serverAdapter.setErrorHandler((error) => {
    const known =
      error instanceof VlmoError ? error : new VlmoError('SERVER_FAILED', 'Cannot answer: the log has why');
    if (known !== error) app.log.error({ err: error }, 'the page of queues failed');
    return { status: statusOf(known.code) as 500, body: { ...toProblem(known, 'of-the-queues') } };
  });
  await app.register(
    async (board) => {
      board.addHook('onRoute', (route) => {
        route.config = { ...route.config, scope: 'admin' };
        route.schema = { ...route.schema, hide: true };
      });
      board.addHook('onRequest', async (_, reply) => {
        reply.header('content-security-policy', POLICY);
      });
      await board.register(serverAdapter.registerPlugin());
    },
    { prefix: '/admin/queues' },
  );
}
