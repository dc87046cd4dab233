import type { App, ServerParts } from '../parts.ts';

/** `/metrics`, as Prometheus reads it. */
export function addMetrics(app: App, { metrics: { registry } }: ServerParts): void {
  app.get(
    '/metrics',
    {
      config: { scope: 'read' },
      schema: { tags: ['operations'], summary: 'Metrics in the text format of Prometheus' },
    },
    async (_, reply) =>
      reply
        .type(registry.contentType)
        .serializer(String)
        .send(await registry.metrics()),
  );
}
