import { type Job, QueueEvents } from 'bullmq';
import { ERROR_CODES, type ErrorCode, errorMessage, VlmoError } from '#errors.ts';
import { type Answers, parseAnswer } from '#search/request.ts';
import { bullOptions, openQueues, QUERIES } from './bull-queues.ts';
import type { RedisClient } from './connection.ts';
import { parseQueryJob, type Query } from './job.ts';
import { BLOCK_SECONDS } from './job-worker.ts';
import { type Patience, patiently } from './patience.ts';
import { redisTime } from './redis-time.ts';

export interface QueryClient extends AsyncDisposable {
  /**
   * Asks the workers of the index. Throws JOB_INVALID here for a query that they would refuse, QUERY_TIMEOUT,
   * QUERY_FAILED for an answer that is none, REDIS_UNREACHABLE where Redis takes nothing for as long as patience lasts,
   * and what the worker throws by its own code.
   */
  query<Asked extends Query>(query: Asked): Promise<Answers[Asked['kind']]>;
}

const TIMEOUT_MS = 30_000;
/** How long a query may wait for a Redis that refuses it. */
const PATIENCE_SECONDS = 30;
/** The longest that a timer waits. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** What a worker of another version may answer. */
export const NO_ANSWER = { code: 'QUERY_FAILED', action: 'answer query' } as const;

/**
 * A client for searches and embeddings, on a connection that stays the caller's. A query waits for its answer as long as
 * it says, and for a Redis that refuses it, where `patience` is given, so much longer.
 */
export async function createQueryClient(
  client: RedisClient,
  indexId: string,
  given?: Patience,
): Promise<QueryClient> {
  const patience = given ?? { seconds: PATIENCE_SECONDS };
  const longerMs = given ? Math.min(given.seconds * 1000, MAX_TIMER_MS / 2) : 0;
  const queues = openQueues(client, indexId);
  // Each query that waits listens.
  queues.queries.setMaxListeners(0);
  // From what is there now: what an answer tells before the listening has begun is not missed.
  const [newest] = await patiently(
    () => client.xrevrange(queues.queries.toKey('events'), '+', '-', 'COUNT', 1),
    patience,
  );
  const lastEventId = newest?.[0] ?? '0';
  const blockingTimeout = BLOCK_SECONDS * 1000;
  const options = { ...bullOptions(client, indexId), lastEventId, blockingTimeout };
  const events = new QueueEvents(QUERIES, options);
  events.on('error', () => undefined);
  await events.waitUntilReady();
  return {
    async query<Asked extends Query>(query: Asked): Promise<Answers[Asked['kind']]> {
      const { timeoutMs = TIMEOUT_MS, ...asked } = parseQueryJob(query);
      let job: Job | undefined;
      async function ask(): Promise<unknown> {
        job = await patiently(async () => {
          const timestamp = await redisTime(client);
          return queues.queries.add(asked.kind, { ...asked, timeoutMs }, { timestamp });
        }, patience);
        return job.waitUntilFinished(events, timeoutMs);
      }
      // Adding waits too, while Redis is away.
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => late.reject(timedOut(timeoutMs)),
        Math.min(timeoutMs + longerMs, MAX_TIMER_MS),
      );
      try {
        const answer = await Promise.race([ask(), late.promise]);
        return parseAnswer<Asked['kind']>(query.kind, answer, NO_ANSWER);
      } catch (error) {
        const known = rebuild(error, timeoutMs);
        // Nobody is to spend time on it now.
        if (known.code === 'QUERY_TIMEOUT' && client.status === 'ready') await job?.remove().catch(() => 0);
        throw known;
      } finally {
        clearTimeout(timer);
      }
    },
    async [Symbol.asyncDispose]() {
      await events.close();
      await queues.close();
    },
  };
}

function rebuild(error: unknown, timeoutMs: number): VlmoError {
  const known = rebuildError(error);
  return known.code === 'QUERY_TIMEOUT' ? timedOut(timeoutMs) : known;
}

/** The error of a worker, by the code at the end of its message. */
export function rebuildError(error: unknown): VlmoError {
  if (error instanceof VlmoError) return error;
  const [, message = errorMessage(error), code] = /^(.*) \[([A-Z_]+)\]$/s.exec(errorMessage(error)) ?? [];
  if (code !== undefined && Object.hasOwn(ERROR_CODES, code))
    return new VlmoError(code as ErrorCode, message, { cause: error });
  return new VlmoError('QUERY_FAILED', `Cannot answer query: expected an answer, received ${message}`, {
    cause: error,
  });
}

function timedOut(timeoutMs: number): VlmoError {
  const expected = `it from a worker within ${timeoutMs} ms`;
  const hint = 'is a worker running on this index?';
  return new VlmoError('QUERY_TIMEOUT', `Cannot answer query: expected ${expected}, received none; ${hint}`);
}
