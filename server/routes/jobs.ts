import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { VlmoError } from '#errors.ts';
import { nameSchema } from '#search/request.ts';
import { parseJsonBody } from '../bodies/json-body.ts';
import { problemSchema } from '../errors/problem.ts';
import { type JobFiles, jobBodySchema, planJob, runOf } from '../jobs/job-body.ts';
import { jobEvents } from '../jobs/job-events.ts';
import { createJobRunner } from '../jobs/job-runner.ts';
import { jobSchema, jobStatus, listJobs } from '../jobs/job-status.ts';
import { addIndexMetrics } from '../metrics/index-metrics.ts';
import type { App, ServerParts } from '../parts.ts';

const byRun = z.strictObject({ run: nameSchema });
const MAX_FILES = 1000;
const failureSchema = z.object({
  key: z.string(),
  source: z.string(),
  id: z.string(),
  uri: z.string(),
  code: z.string(),
  message: z.string(),
  attempts: z.int(),
  retriable: z.boolean(),
  failedAt: z.string(),
});
const page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: nameSchema.optional().describe('Key of the last failure of the page before'),
});

declare module 'fastify' {
  interface FastifyRequest {
    uploaded: JobFiles | undefined;
  }
}

/** `/v1/jobs`: what is to be indexed, one job after the other in this process, and how it goes. */
export function addJobs(app: App, parts: ServerParts): void {
  const { index, config } = parts;
  const jobs = createJobRunner(parts, (error, run) => app.log.error({ err: error, run }, 'a job ended'));
  addIndexMetrics(parts, jobs);
  const closing = new AbortController();
  // Streams that go on would hold the server open.
  app.addHook('preClose', async () => closing.abort());
  app.addHook('onClose', () => jobs[Symbol.asyncDispose]());
  app.decorateRequest('uploaded', undefined);
  const [read, submit] = [{ scope: 'read' }, { scope: 'submit' }] as const;
  const tags = ['jobs'];
  const answers = { 200: jobSchema, '4xx': problemSchema };
  app.post(
    '/v1/jobs',
    {
      config: submit,
      schema: {
        tags,
        summary: 'Index items, an uploaded table, or a source inside of a folder that the server may read',
        consumes: ['application/json', 'multipart/form-data'],
        headers: z.looseObject({ 'idempotency-key': z.string().min(1).max(256).optional() }),
        body: jobBodySchema,
        response: { 200: jobSchema, 202: jobSchema, '4xx': problemSchema },
      },
      preValidation: async (request) => readFiles(request, config.maxImageBytes),
    },
    async (request, reply) => {
      const { body, headers, uploaded = new Map() } = request;
      const run = runOf(headers['idempotency-key'], request.knownKey?.name ?? '', index.id);
      const known = await jobStatus(parts, jobs, run).catch(() => undefined);
      if (known) return known;
      await index.serving(body.collection);
      const plan = await planJob(body, uploaded, run, { parts, signal: request.signal });
      const { collection, retryFailed } = body;
      const { source, sourceName, roots } = plan;
      if (!jobs.find(run)) jobs.add({ run, source, options: { collection, retryFailed, sourceName, roots } });
      reply.header('location', `${request.url.split('?')[0]}/${run}`);
      return reply.code(202).send(await jobStatus(parts, jobs, run));
    },
  );
  app.get(
    '/v1/jobs',
    {
      config: read,
      schema: {
        tags,
        summary: 'All runs, the newest first',
        response: { 200: z.object({ jobs: z.array(jobSchema) }) },
      },
    },
    async () => ({ jobs: await listJobs(parts, jobs) }),
  );
  app.get(
    '/v1/jobs/:run',
    { config: read, schema: { tags, summary: 'How a run stands', params: byRun, response: answers } },
    async ({ params: { run } }) => jobStatus(parts, jobs, run),
  );
  app.get(
    '/v1/jobs/:run/events',
    { config: read, schema: { tags, summary: 'How a run goes on, as server-sent events', params: byRun } },
    async ({ params: { run }, headers, signal }, reply) => {
      await jobStatus(parts, jobs, run);
      const last = headers['last-event-id'];
      return reply
        .type('text/event-stream')
        .serializer(String)
        .send(
          jobEvents(
            () => jobStatus(parts, jobs, run),
            typeof last === 'string' ? last : undefined,
            AbortSignal.any([signal, closing.signal]),
          ),
        );
    },
  );
  app.get(
    '/v1/jobs/:run/failures',
    {
      config: read,
      schema: {
        tags,
        summary: 'What a run could not store, and why',
        params: byRun,
        querystring: page,
        response: {
          200: z.object({ failures: z.array(failureSchema), next: z.string().nullable() }),
          404: problemSchema,
        },
      },
    },
    async ({ params: { run }, query: { limit, after } }) => {
      const { collection } = await jobStatus(parts, jobs, run);
      const found: z.output<typeof failureSchema>[] = [];
      for await (const failure of index.failures(collection)) {
        if (failure.run !== run || (after !== undefined && failure.key <= after)) continue;
        found.push({ ...failure, failedAt: failure.failedAt.toISOString() });
        if (found.length > 4 * limit) found.sort(byKey).splice(limit + 1);
      }
      const failures = found.toSorted(byKey).slice(0, limit);
      return { failures, next: found.length > limit ? (failures.at(-1)?.key ?? null) : null };
    },
  );
  app.post(
    '/v1/jobs/:run/retry',
    {
      config: submit,
      schema: {
        tags,
        summary: 'Try again what a run could not store',
        params: byRun,
        response: { 202: jobSchema, '4xx': problemSchema },
      },
    },
    async ({ params: { run } }, reply) => {
      const { collection } = await jobStatus(parts, jobs, run);
      const again = runOf(undefined, '', index.id);
      jobs.add({
        run: again,
        source: index.failed(collection, run),
        options: { collection, retryFailed: true },
      });
      return reply.code(202).send(await jobStatus(parts, jobs, again));
    },
  );
  app.post(
    '/v1/jobs/:run/cancel',
    {
      config: submit,
      schema: {
        tags,
        summary: 'End a job; what is stored stays',
        params: byRun,
        response: { 202: jobSchema, '4xx': problemSchema },
      },
    },
    async ({ params: { run } }, reply) => {
      const { state, kind } = await jobStatus(parts, jobs, run);
      const isHere = jobs.cancel(run);
      if (!(await index.cancel(run)) && !isHere)
        throw new VlmoError(
          'JOB_CONFLICT',
          `Cannot cancel run ${run}: it is ${state}, ${kind}, and nothing of it is under way here`,
        );
      return reply.code(202).send(await jobStatus(parts, jobs, run));
    },
  );
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : 1;
}

/** A form: files by their names, and JSON in the field `request`. */
async function readFiles(request: FastifyRequest, maxBytes: number): Promise<void> {
  if (!request.isMultipart()) return;
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  let json: unknown = {};
  const limits = { files: MAX_FILES, fields: 1, parts: MAX_FILES + 1, fileSize: maxBytes };
  try {
    for await (const part of request.parts({ limits })) {
      if (part.type === 'file') files.set(part.filename, new Uint8Array(await part.toBuffer()));
      else if (part.fieldname === 'request') json = parseJsonBody(String(part.value)) ?? {};
    }
  } catch (error) {
    if (error instanceof VlmoError || 'statusCode' in (error as Error)) throw error;
    throw new VlmoError('BODY_INVALID', `Cannot read the form: ${(error as Error).message}`);
  }
  request.body = json;
  request.uploaded = files;
}
