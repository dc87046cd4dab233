import type { App, ServerParts } from './parts.ts';

/** Everything is logged and counted by the route's pattern: what stands in a path or a query may be nobody's business. */
export function logRequests(app: App, { metrics }: Pick<ServerParts, 'metrics'>): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    const { method, id, knownKey } = request;
    const status = reply.statusCode;
    metrics.requests.observe(
      { http_request_method: method, http_route: route, http_response_status_code: status },
      reply.elapsedTime / 1000,
    );
    const ms = Math.round(reply.elapsedTime * 10) / 10;
    const key = knownKey && { key: knownKey.name };
    request.log.info({ reqId: id, method, route, status, ms, ...key }, 'answered');
  });
}
