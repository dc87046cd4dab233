import { ALL_OPTIONS } from '#config/options.ts';
import { openQueues } from '#queue/bull-queues.ts';
import { createPatientProducer } from '#queue/producer.ts';
import { redisClock } from '#queue/redis-time.ts';
import { type Submitted, submitSource } from '#runs/submit.ts';
import type { Source } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { unlessAborted } from '#until-aborted.ts';
import type { SubmitOptions } from './contract.ts';
import type { IndexParts } from './index-parts.ts';
import { insideRoots } from './inside-roots.ts';
import { openTarget } from './open-target.ts';
import { nameSource } from './source-name.ts';

const PATIENCE_SECONDS = 300;

/** Puts a source into the queue of the index, for workers to index. */
export async function submitInto(
  parts: IndexParts,
  given: string | Source,
  options: SubmitOptions,
): Promise<Submitted> {
  const { store, settings } = parts;
  const { redis, run, roots, priority = 'normal', retryFailed = false, verify, prune, onStart } = options;
  const open = async () => {
    const opened = typeof given === 'string' ? await openSource(given, options.source) : given;
    const source = roots ? await insideRoots(opened, roots) : opened;
    const { model, record } = await openTarget(parts, { model: settings.model, ...options });
    const { isCut } = await model.loadTokenizer();
    return { source, generation: record, named: await nameSource(store, source, options), isCut };
  };
  const { source, generation, named, isCut } = await unlessAborted(open(), options.signal);
  const queues = openQueues(redis, store.id);
  try {
    return await submitSource({
      ...{ run, source, ...named, store, generation, priority, retryFailed, verify, prune },
      producer: createPatientProducer(queues, options.maxWaiting ?? ALL_OPTIONS.maxWaiting.default, {
        seconds: options.redisPatience ?? PATIENCE_SECONDS,
      }),
      isCut,
      clock: await redisClock(redis),
      options: { ...options.source },
      chunkItems: options.chunkItems ?? ALL_OPTIONS.chunkItems.default,
      signal: options.signal ?? new AbortController().signal,
      ...(onStart && { onStart }),
    });
  } finally {
    await queues.close();
  }
}
