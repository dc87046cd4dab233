import { setTimeout } from 'node:timers/promises';
import { Job, UnrecoverableError, Worker, type WorkerOptions } from 'bullmq';
import type { RedisClient } from './connection.ts';
import { isMoved, type Patience, patiently } from './patience.ts';

/** Seconds for which an empty queue is asked at a time: less than a command may take, so that waiting is no time-out. */
export const BLOCK_SECONDS = 5;
const WAIT_MS = 1000;

/** Not an error of Redis: a job that cannot be read. */
export class JobRefused extends Error {
  override readonly name = 'JobRefused';
}

/** The next job, or none. BullMQ's own types leave the second out. */
type Next = Promise<Job>;
type FetchNext = () => boolean;

/**
 * BullMQ's worker, for a Redis that refuses things for a while: what has become of a job is told again until it is
 * taken, and never makes the job fail. A job that is no JSON fails, where BullMQ would take it again for ever.
 */
export class JobWorker extends Worker {
  readonly #client: RedisClient;
  readonly #patience: Patience;

  constructor(
    name: string,
    process: (job: Job, token: string) => Promise<unknown>,
    options: WorkerOptions,
    client: RedisClient,
    patience: Patience,
  ) {
    super(name, (job, token) => process(job, token ?? ''), {
      ...options,
      drainDelay: BLOCK_SECONDS,
      autorun: false,
    });
    this.#client = client;
    this.#patience = patience;
    this.run().catch((error: Error) => this.emit('error', error));
  }

  override get maximumBlockTimeout(): number {
    return BLOCK_SECONDS;
  }

  protected override async moveToActive(token: string, name?: string): Next {
    try {
      return await super.moveToActive(token, name);
    } catch (error) {
      if (error instanceof SyntaxError) await this.#failUnreadable(token);
      // BullMQ would ask again at once.
      else await setTimeout(WAIT_MS, undefined, this.#patience.signal && { signal: this.#patience.signal });
      throw error;
    }
  }

  protected override handleCompleted(result: unknown, job: Job, token: string, fetchNext?: FetchNext): Next {
    return this.#tell(token, () => super.handleCompleted(result, job, token, fetchNext));
  }

  protected override handleFailed(error: Error, job: Job, token: string, fetchNext?: FetchNext): Next {
    return this.#tell(token, () => super.handleFailed(error, job, token, fetchNext));
  }

  /** Without an end, somebody else gets the job when its lock has run out; its result counts once. */
  async #tell(token: string, step: () => Next): Next {
    try {
      return await patiently(step, this.#patience);
    } catch (error) {
      // The next job came with the answer, and is none.
      if (error instanceof SyntaxError) await this.#failUnreadable(token);
      else if (!isMoved(error) && !this.#patience.signal?.aborted) this.emit('error', error as Error);
      return undefined as unknown as Job;
    }
  }

  /** Fails the job that this token has taken, and that cannot be read as JSON. */
  async #failUnreadable(token: string): Promise<void> {
    const client = this.#client;
    for (const id of await client.lrange(this.toKey('active'), 0, -1)) {
      const key = this.toKey(id);
      if ((await client.get(`${key}:lock`)) !== token) continue;
      const [data = null, opts = null] = await client.hmget(key, 'data', 'opts');
      await client.hset(key, { data: readable(data), opts: isJson(opts) ? (opts ?? '{}') : '{}' });
      const job = await Job.fromId(this, id);
      const reason = 'Cannot take job: expected its data and its options to be JSON, received something else';
      await job?.moveToFailed(new UnrecoverableError(`${reason} [JOB_INVALID]`), token, false);
      this.emit('error', new JobRefused(`Job "${id}" is refused: ${reason}`));
    }
  }
}

/** What is no JSON, as a text of JSON: it stays for a person to look at. */
function readable(data: string | null): string {
  return isJson(data) ? (data ?? '{}') : JSON.stringify(data);
}

function isJson(text: string | null): boolean {
  try {
    JSON.parse(text || '{}');
    return true;
  } catch {
    return false;
  }
}
