import { randomUUID } from 'node:crypto';
import multipart from '@fastify/multipart';
import fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import type { z } from 'zod';
import { parseGiven } from '#config/parse-given.ts';
import { readJsonBodies } from './bodies/json-body.ts';
import { closeConnections } from './close-connections.ts';
import { addClip } from './compat/clip/clip-routes.ts';
import { addCohereEmbed } from './compat/cohere-embed.ts';
import { addEmbeddings } from './compat/embeddings.ts';
import { addRerank } from './compat/rerank.ts';
import { answerErrors, sendError } from './errors/answer-errors.ts';
import { guardAccess } from './guards/access.ts';
import { addSecurityHeaders } from './guards/headers.ts';
import { guardOrigin } from './guards/origin.ts';
import { limitRates } from './guards/rate-limit.ts';
import type { App, ServerParts } from './parts.ts';
import { logRequests } from './request-log.ts';
import { addCollections } from './routes/collections.ts';
import { addCompare } from './routes/compare.ts';
import { addDocs } from './routes/docs.ts';
import { addHealth } from './routes/health.ts';
import { addItems } from './routes/items.ts';
import { addJobs } from './routes/jobs.ts';
import { addLogin } from './routes/login.ts';
import { addMetrics } from './routes/metrics.ts';
import { addPage } from './routes/page.ts';
import { addPictures } from './routes/pictures.ts';
import { addQueuesPage } from './routes/queues-page.ts';
import { addRemove } from './routes/remove.ts';
import { addSearch } from './routes/search.ts';

const ROUTES = [
  addHealth,
  addMetrics,
  addPage,
  addSearch,
  addItems,
  addPictures,
  addRemove,
  addCollections,
  addCompare,
  addEmbeddings,
  addCohereEmbed,
  addRerank,
  addJobs,
  addLogin,
] as const;

/** Seconds in which a request has to have arrived whole. */
const REQUEST_SECONDS = 120;

/** The server without its socket: guards, then routes, each in a file of its own. */
export async function createApp(parts: ServerParts, log: FastifyBaseLogger): Promise<App> {
  const { basePath, maxBodyBytes, forwarders } = parts.config;
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    bodyLimit: maxBodyBytes,
    requestTimeout: REQUEST_SECONDS * 1000,
    forceCloseConnections: 'idle',
    trustProxy: forwarders === undefined ? false : [...forwarders],
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: true },
    exposeHeadRoutes: true,
    // What is no URL meets no hook: it is answered all the same.
    frameworkErrors: (error, request, reply) => void sendError(error, request as never, reply as never),
  }) as unknown as App;
  app.setValidatorCompiler<z.ZodType>(({ schema }) => (data) => {
    try {
      return { value: parseGiven(schema, data ?? {}, { code: 'REQUEST_INVALID', action: 'answer' }) };
    } catch (error) {
      return { error: error as Error };
    }
  });
  app.setSerializerCompiler(() => JSON.stringify);
  readJsonBodies(app);
  answerErrors(app, parts);
  logRequests(app, parts);
  closeConnections(app);
  addSecurityHeaders(app);
  guardOrigin(app, parts.config);
  guardAccess(app, parts);
  limitRates(app, parts);
  await app.register(multipart);
  await addDocs(app, parts.config);
  const prefix = basePath.replace(/\/+$/, '');
  await app.register(
    async (inner) => {
      const routes = inner as unknown as App;
      for (const add of ROUTES) add(routes, parts);
      await addQueuesPage(routes, parts);
      if (parts.config.clipCompat) await addClip(routes, parts);
    },
    { prefix },
  );
  return app;
}
