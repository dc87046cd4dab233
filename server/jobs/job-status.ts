import { z } from 'zod';
import { VlmoError } from '#errors.ts';
import type { OpenIndex } from '#service/contract.ts';
import type { ServerParts } from '../parts.ts';
import type { Job, JobRunner } from './job-runner.ts';

const count = z.int();
export const jobSchema = z
  .object({
    run: z.string(),
    state: z.enum(['waiting', 'running', 'complete', 'interrupted', 'failed', 'cancelled']),
    kind: z.enum(['direct', 'queued']),
    source: z.string(),
    collection: z.string(),
    startedAt: z.string().nullable(),
    endedAt: z.string().nullable(),
    ...{ seen: count, stored: count, skipped: count, failed: count },
    rate: z.number().describe('Items a second'),
    fraction: z.number().nullable().describe('Part done, 0 to 1; null where that is not known'),
    secondsLeft: z.number().nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'Job' });

export type JobStatus = z.output<typeof jobSchema>;
type RunStatus = Awaited<ReturnType<OpenIndex['run']>>;

/** How a job stands, whether it is of this process, of another one, or over for a year. Throws RUN_NOT_FOUND. */
export async function jobStatus(
  { index, queue }: Pick<ServerParts, 'index' | 'queue'>,
  jobs: JobRunner,
  run: string,
): Promise<JobStatus> {
  const job = jobs.find(run);
  const known = await index.run(job?.goesOnAs ?? run, queue?.clock()).catch((error: unknown) => {
    if (job && error instanceof VlmoError && error.code === 'RUN_NOT_FOUND') return undefined;
    throw error;
  });
  return known ? ofRun(known, job) : ofWaiting(job as Job);
}

/** All, the newest first. */
export async function listJobs(
  { index, queue }: Pick<ServerParts, 'index' | 'queue'>,
  jobs: JobRunner,
): Promise<JobStatus[]> {
  const runs = await index.runs(queue?.clock());
  const known = new Set(runs.map(({ record }) => record.id));
  const waiting = jobs.all().filter(({ request }) => !known.has(request.run));
  const ran = runs.map((status) => ofRun(status, jobs.find(status.record.id)));
  return [...ran, ...waiting.map(ofWaiting)].reverse();
}

function ofRun({ record, ...status }: RunStatus, job: Job | undefined): JobStatus {
  const { id: run, kind, source, collection, startedAt, endedAt } = record;
  const live = record.state === 'running' ? job?.progress?.() : undefined;
  const { seen, stored, skipped, failed, rate, fraction, secondsLeft } = live ?? {
    ...status,
    fraction: undefined,
  };
  return {
    ...{ run, state: record.state, kind, source, collection },
    startedAt: startedAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
    ...{ seen, stored, skipped, failed, rate },
    fraction: fraction ?? (endedAt ? 1 : null),
    secondsLeft: secondsLeft ?? null,
    error: errorOf(job),
  };
}

/** It has no record before it runs, and one that cannot begin never gets one. */
function ofWaiting(job: Job): JobStatus {
  const { request, state, askedAt } = job;
  const shown = state === 'ended' ? 'failed' : state;
  return {
    ...{ run: request.run, state: shown, kind: 'direct' },
    source: typeof request.source === 'string' ? request.source : request.source.uri,
    collection: request.options.collection ?? 'default',
    ...{
      startedAt: null,
      endedAt: state === 'ended' || state === 'cancelled' ? askedAt.toISOString() : null,
    },
    ...{ seen: 0, stored: 0, skipped: 0, failed: 0, rate: 0, fraction: null, secondsLeft: null },
    error: errorOf(job),
  };
}

function errorOf(job: Job | undefined): JobStatus['error'] {
  return job?.error ? { code: job.error.code, message: job.error.message } : null;
}
