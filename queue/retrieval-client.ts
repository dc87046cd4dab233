import { QueueEvents } from 'bullmq';
import { type Answers, parseAnswer } from '#search/request.ts';
import { bullOptions, openQueues, RETRIEVALS } from './bull-queues.ts';
import type { RedisClient } from './connection.ts';
import { parseRetrievalJob, type RetrievalJob } from './job.ts';
import { BLOCK_SECONDS } from './job-worker.ts';
import { type Patience, patiently } from './patience.ts';
import { NO_ANSWER, rebuildError } from './query-client.ts';

/**
 * Lets a worker do a retrieval, and waits for its summary. While a job for the same file is there this waits for that
 * one. Throws what the worker throws by its own code, REDIS_UNREACHABLE, and the reason of the signal of `patience`; the job goes on then.
 */
export async function retrieveQueued<Asked extends RetrievalJob>(
  client: RedisClient,
  indexId: string,
  asked: Asked,
  patience: Patience & { readonly signal: AbortSignal },
): Promise<Answers[Asked['kind']]> {
  const { signal } = patience;
  const data = parseRetrievalJob(asked);
  const queues = openQueues(client, indexId);
  const blockingTimeout = BLOCK_SECONDS * 1000;
  const events = new QueueEvents(RETRIEVALS, { ...bullOptions(client, indexId), blockingTimeout });
  events.on('error', () => undefined);
  const stopped = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => stopped.reject(signal.reason), { once: true });
  try {
    await events.waitUntilReady();
    const job = await patiently(async () => {
      const known = await queues.retrievals.getJob(data.out);
      if (known?.finishedOn !== undefined) await known.remove();
      return queues.retrievals.add(data.kind, data, { jobId: data.out });
    }, patience);
    const answer: unknown = await Promise.race([job.waitUntilFinished(events), stopped.promise]);
    return parseAnswer<Asked['kind']>(asked.kind, answer, NO_ANSWER);
  } catch (error) {
    signal.throwIfAborted();
    throw rebuildError(error);
  } finally {
    await events.close();
    await queues.close();
  }
}
