import { setTimeout } from 'node:timers/promises';
import type { Config } from '#config/options.ts';
import { restartOnce } from '#engine/device-restart.ts';
import { type Engine, EngineDied, startEngine } from '#engine/engine.ts';
import type { EngineSetup } from '#engine/protocol.ts';
import { openQueues } from '#queue/bull-queues.ts';
import type { RedisClient } from '#queue/connection.ts';
import { createConsumer } from '#queue/consumer.ts';
import { aliveWorkers, type Beat, startHeartbeat } from '#queue/heartbeat.ts';
import type { RetrievalJob } from '#queue/job.ts';
import { createProducer } from '#queue/producer.ts';
import { redisClock } from '#queue/redis-time.ts';
import { createTrouble } from '#queue/trouble.ts';
import { dropSigns, keepSign } from '#runs/worker-sign.ts';
import type { Store } from '#store/contract.ts';
import { localFolderOf } from '#store/local-folder.ts';
import type { Logger } from './log.ts';
import { startSweeper } from './sweep.ts';
import { createChunkHandler } from './take-chunk.ts';
import { watchCopies } from './watch-copies.ts';
import { watchFormat } from './watch-format.ts';

export interface ServeJobs {
  readonly store: Store;
  readonly client: RedisClient;
  readonly setup: EngineSetup;
  readonly config: Config<'concurrency' | 'drainTimeout' | 'lockDuration' | 'maxWaiting'>;
  readonly log: Logger;
}

export interface JobServer extends AsyncDisposable {
  /** Aborted, with the reason, where this program can no longer work on the index: a newer one has raised its
   * format, or it is a copy of another one, which has workers. */
  readonly outdated: AbortSignal;
  /** Takes no more, finishes what was taken within the set time, and gives the rest back. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Takes the jobs of an index until it is disposed of. This process holds the locks, and does nothing that could keep it
 * from renewing them: model, pictures and vectors are the engine's, a process of its own.
 *
 *     Redis ──► consumer ──► take-chunk ──► engine (decode, embed, store)
 *                   ▲            └──► ledger
 *                   └── sweeper: puts back what Redis forgot, ends runs that are done
 */
export async function serveJobs({ store, client, setup, config, log }: ServeJobs): Promise<JobServer> {
  const started = await startEngine(
    setup,
    (how) => log.error(`The engine's process ended with ${how}; the next one starts`),
    (line) => log.warn(line),
  );
  const lost = new AbortController();
  const engine = restartOnce(
    started,
    (reason) => log.error(`The engine starts anew, once: ${reason}`),
    (error) => lost.abort(error),
  );
  const trouble = createTrouble((words) => log.warn(words));
  const index = localFolderOf(store);
  const queues = openQueues(client, store.id);
  const alive = (): Promise<Beat[]> => aliveWorkers(client, queues.prefix);
  const clock = await redisClock(client);
  await dropSigns(index, await alive());
  const sweeper = startSweeper({ store, producer: createProducer(queues, config.maxWaiting), log });
  const takeChunk = createChunkHandler({ store, engine, log, clock, onSettled: (run) => sweeper.look(run) });
  const consumer = createConsumer({
    ...{ client, indexId: store.id, takeChunk, concurrency: config.concurrency },
    answerQuery: (query) => engine.call({ kind: 'query', query }),
    retrieve: (job) => retrieveAnyway(engine, job),
    lockDurationMs: config.lockDuration * 1000,
    onNote: (words) => log.warn(words),
    onTrouble: trouble.met,
  });
  const sign = keepSign(index);
  const heartbeat = startHeartbeat(queues, sign.next);
  const copies = watchCopies(index, alive, sign.worker);
  const format = watchFormat(store);
  return {
    outdated: AbortSignal.any([format.outdated, copies.found, lost.signal]),
    async [Symbol.asyncDispose]() {
      format[Symbol.dispose]();
      copies[Symbol.dispose]();
      await consumer.close(config.drainTimeout * 1000);
      // A Redis that does not answer holds none of them: what is left undone, another worker does.
      await within(LAST_MS, [sweeper[Symbol.asyncDispose](), heartbeat[Symbol.asyncDispose]()]);
      await sign[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      await within(LAST_MS, [queues.close()]);
    },
  };
}

const LAST_MS = 500;

async function within(ms: number, steps: readonly PromiseLike<unknown>[]): Promise<void> {
  await Promise.race([Promise.allSettled(steps), setTimeout(ms, undefined, { ref: false })]);
}

/** Ends of the engine's process that a retrieval outlives: what ended it was most likely an item beside it. */
const MAX_DEATHS = 5;

/** Each try goes on where the last one ended. */
async function retrieveAnyway(engine: Engine, job: RetrievalJob): Promise<object> {
  for (let deaths = 0; ; deaths++) {
    try {
      return await engine.call({ kind: 'retrieve', job });
    } catch (error) {
      if (!(error instanceof EngineDied) || deaths === MAX_DEATHS) throw error;
    }
  }
}
