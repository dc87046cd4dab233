import { type Job, QueueEvents } from 'bullmq';
import { ERROR_CODES, type ErrorCode, errorMessage, VlmoError } from '#errors.ts';
import { bullOptions, openQueues, QUERIES } from './bull-queues.ts';
import type { RedisClient } from './connection.ts';
import { parseQueryJob, type Query } from './job.ts';

export interface QueryClient extends AsyncDisposable {
  /**
   * Asks the workers of the index. Throws JOB_INVALID here for a query that they would refuse, QUERY_TIMEOUT, and
   * what the worker throws by its own code.
   */
  query(query: Query): Promise<unknown>;
}

const TIMEOUT_MS = 30_000;

/** A client for searches and embeddings, on a connection that stays the caller's. */
export async function createQueryClient(client: RedisClient, indexId: string): Promise<QueryClient> {
  const queues = openQueues(client, indexId);
  const events = new QueueEvents(QUERIES, bullOptions(client, indexId));
  events.on('error', () => undefined);
  await events.waitUntilReady();
  return {
    async query(query) {
      const { timeoutMs = TIMEOUT_MS, ...asked } = parseQueryJob(query);
      const job = await queues.queries.add(asked.kind, { ...asked, timeoutMs });
      try {
        return await job.waitUntilFinished(events, timeoutMs);
      } catch (error) {
        throw await rebuild(error, job, timeoutMs);
      }
    },
    async [Symbol.asyncDispose]() {
      await events.close();
      await queues.close();
    },
  };
}

async function rebuild(error: unknown, job: Job, timeoutMs: number): Promise<VlmoError> {
  const [, message = errorMessage(error), code] = /^(.*) \[([A-Z_]+)\]$/s.exec(errorMessage(error)) ?? [];
  if (code !== undefined && Object.hasOwn(ERROR_CODES, code) && code !== 'QUERY_TIMEOUT')
    return new VlmoError(code as ErrorCode, message, { cause: error });
  if (code === 'QUERY_TIMEOUT' || /timed out/.test(message)) {
    // Nobody is to spend time on it now.
    await job.remove().catch(() => undefined);
    const expected = `it from a worker within ${timeoutMs} ms`;
    const hint = 'is a worker running on this index?';
    return new VlmoError(
      'QUERY_TIMEOUT',
      `Cannot answer query: expected ${expected}, received none; ${hint}`,
    );
  }
  return new VlmoError('QUERY_FAILED', `Cannot answer query: expected an answer, received ${message}`, {
    cause: error,
  });
}
