import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { errorMessage, VlmoError } from '#errors.ts';
import type { App, ServerParts } from '../parts.ts';
import { toProblem } from './problem.ts';
import { statusOf } from './status.ts';

/** Answers every error with one kind of body; what is nobody's fault but ours is logged whole, and told as little of. */
export function answerErrors(app: App, { metrics }: Pick<ServerParts, 'metrics'>): void {
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof VlmoError && error.code === 'ENGINE_BUSY')
      metrics.overload.inc({ reason: 'engine' });
    return sendError(error, request, reply);
  });
  app.setNotFoundHandler((request, reply) =>
    sendError(
      new VlmoError(
        'ROUTE_NOT_FOUND',
        `Cannot ${request.method} this path: expected one of /openapi.json, received another one`,
      ),
      request,
      reply,
    ),
  );
}

export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = toVlmoError(error);
  const status = statusOf(known.code);
  if (status >= 500) request.log.error({ err: error, reqId: request.id }, 'failed');
  if (known.retryAfterMs !== undefined)
    reply.header('retry-after', String(Math.max(1, Math.ceil(known.retryAfterMs / 1000))));
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  const shown = known.code === 'SERVER_FAILED' || status === 500 ? hidden(known) : known;
  return reply
    .code(status)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(toProblem(shown, request.id, status));
}

/** Paths and the like of an unexpected error are for the log. */
function hidden({ code }: VlmoError): VlmoError {
  return new VlmoError(
    code,
    'Cannot answer: something unexpected happened, which the log of the server has under the id of this request',
  );
}

/** Errors of the framework, by what they are. */
function toVlmoError(error: unknown): VlmoError {
  if (error instanceof VlmoError) return error;
  const { code = '', statusCode = 500 } = error as Partial<FastifyError>;
  const why = errorMessage(error);
  if (statusCode === 413 || code === 'FST_REQ_FILE_TOO_LARGE')
    return new VlmoError('BODY_TOO_LARGE', 'Cannot read the request: expected a smaller one, received more');
  if (statusCode === 415 || code === 'FST_INVALID_MULTIPART_CONTENT_TYPE')
    return new VlmoError(
      'BODY_UNSUPPORTED',
      'Cannot read the request: expected another Content-Type (application/json, or multipart/form-data where a picture goes), received one that is not read here',
    );
  if (statusCode >= 400 && statusCode < 500)
    return new VlmoError('BODY_INVALID', `Cannot read the request: ${why}`);
  return new VlmoError('SERVER_FAILED', why, { cause: error });
}
