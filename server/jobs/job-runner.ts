import { VlmoError } from '#errors.ts';
import type { OpenIndex } from '#service/contract.ts';
import type { ServerParts } from '../parts.ts';

type IndexArguments = Parameters<OpenIndex['index']>;
export type JobSource = IndexArguments[0];
export type JobProgress = ReturnType<Parameters<NonNullable<NonNullable<IndexArguments[1]>['onStart']>>[0]>;

/** What a job indexes. */
export interface JobRequest {
  /** Id of its run. */
  readonly run: string;
  readonly source: JobSource;
  readonly options: NonNullable<IndexArguments[1]>;
}

export interface Job {
  readonly request: JobRequest;
  readonly askedAt: Date;
  state: 'waiting' | 'running' | 'ended' | 'cancelled';
  /** The run that goes on in its place, where the same source was submitted before and is not done yet. */
  goesOnAs: string | undefined;
  /** How far it is; undefined until it runs here. */
  progress: (() => JobProgress) | undefined;
  /** Why it ended before its time. */
  error: VlmoError | undefined;
}

/** Jobs of this process, one after the other, so that searches keep most of the machine: indexed here, or put into the queue. */
export interface JobRunner extends AsyncDisposable {
  /** Throws JOBS_WAITING where as many as are kept wait already. */
  add(request: JobRequest): Job;
  find(run: string): Job | undefined;
  all(): readonly Job[];
  /** Ends a job; what is stored stays. Says whether it was waiting or running. */
  cancel(run: string): boolean;
}

const MAX_WAITING = 1000;
/** Ended ones that are remembered: what became of them stands in the index. */
const MAX_ENDED = 100;

export function createJobRunner(
  { index, queue }: Pick<ServerParts, 'index' | 'queue'>,
  onError: (error: unknown, run: string) => void,
): JobRunner {
  const jobs = new Map<string, Job>();
  const controllers = new Map<string, AbortController>();
  let isClosing = false;
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    for (let job = next(); job && !isClosing; job = next()) await runOne(job);
    working = undefined;
  }

  function next(): Job | undefined {
    return [...jobs.values()].find(({ state }) => state === 'waiting');
  }

  async function runOne(job: Job): Promise<void> {
    const { run, source, options } = job.request;
    const controller = new AbortController();
    controllers.set(run, controller);
    job.state = 'running';
    try {
      const { signal } = controller;
      if (queue)
        await index.submit(source, {
          ...{
            collection: options.collection,
            retryFailed: options.retryFailed,
            sourceName: options.sourceName,
          },
          ...{ roots: options.roots, run, signal, redis: queue.redis },
          onStart: (progress) => {
            job.goesOnAs = progress().run;
          },
        });
      else
        await index.index(source, {
          ...{ ...options, run, signal },
          onStart: (progress) => {
            job.progress = progress;
          },
        });
    } catch (error) {
      if (!controller.signal.aborted) onError(error, run);
      job.error =
        error instanceof VlmoError ? error : new VlmoError('SERVER_FAILED', 'The job ended; the log has why');
    }
    controllers.delete(run);
    job.state = controller.signal.aborted ? 'cancelled' : 'ended';
    forgetOld();
  }

  function forgetOld(): void {
    const ended = [...jobs.values()].filter(({ state }) => state === 'ended' || state === 'cancelled');
    for (const { request } of ended.slice(0, -MAX_ENDED)) jobs.delete(request.run);
  }

  return {
    add(request) {
      const waiting = [...jobs.values()].filter(({ state }) => state === 'waiting').length;
      if (waiting >= MAX_WAITING || isClosing)
        throw new VlmoError('JOBS_WAITING', `Cannot take a job: ${waiting} wait already`, {
          retryAfterMs: 60_000,
        });
      const job: Job = {
        request,
        askedAt: new Date(),
        state: 'waiting',
        goesOnAs: undefined,
        progress: undefined,
        error: undefined,
      };
      jobs.set(request.run, job);
      working ??= work();
      return job;
    },
    find: (run) => jobs.get(run),
    all: () => [...jobs.values()],
    cancel(run) {
      const job = jobs.get(run);
      if (job?.state === 'waiting') job.state = 'cancelled';
      else if (job?.state === 'running') controllers.get(run)?.abort();
      else return false;
      return true;
    },
    async [Symbol.asyncDispose]() {
      isClosing = true;
      for (const controller of controllers.values()) controller.abort();
      await working;
    },
  };
}
