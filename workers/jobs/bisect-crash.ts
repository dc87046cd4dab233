import { type Engine, EngineDied } from '#engine/engine.ts';
import type { IndexCall } from '#engine/protocol.ts';
import type { ChunkTally } from '#pipeline/index-chunk.ts';
import { addKinds } from '#store/kind-counts.ts';
import type { SharedLock } from './shared-lock.ts';

/** Ends of the process with one item alone before that item is held to be the cause. */
const DEATHS_ALONE = 2;

export type IndexRequest = Omit<IndexCall, 'kind'>;

/**
 * Takes the items of a chunk through the engine. Where its process ends, this chunk or one beside it is the cause: it
 * is done again with nothing beside it, and if the process ends again, by halves, until the one item that ends it is
 * alone and set aside as failed. Throws what the engine throws; EngineDied where the model cannot even be loaded.
 */
export async function indexItems(
  engine: Engine,
  lock: SharedLock,
  request: IndexRequest,
): Promise<ChunkTally> {
  try {
    return await lock.shared(() => engine.call({ kind: 'index', ...request }));
  } catch (error) {
    if (!(error instanceof EngineDied)) throw error;
    return lock.exclusive(() => isolate(engine, request));
  }
}

async function isolate(engine: Engine, request: IndexRequest, deaths = 0): Promise<ChunkTally> {
  const { generation, run, runNumber, source, items } = request;
  await engine.call({ kind: 'load', generation });
  try {
    return await engine.call({ kind: 'index', ...request });
  } catch (error) {
    if (!(error instanceof EngineDied)) throw error;
  }
  const [item] = items;
  if (items.length !== 1 || !item) {
    const middle = Math.ceil(items.length / 2);
    const first = await isolate(engine, { ...request, items: items.slice(0, middle) });
    return sum(first, await isolate(engine, { ...request, items: items.slice(middle) }));
  }
  if (deaths + 1 < DEATHS_ALONE) return isolate(engine, request, deaths + 1);
  await engine.call({ kind: 'load', generation });
  return engine.call({ kind: 'quarantine', generation, run, runNumber, source, item });
}

/** What has become of two parts of a chunk. */
export function sum(a: ChunkTally, b: ChunkTally): ChunkTally {
  return {
    stored: a.stored + b.stored,
    skipped: a.skipped + b.skipped,
    failed: a.failed + b.failed,
    kinds: addKinds(a.kinds, b.kinds),
    failures: [...a.failures, ...b.failures],
  };
}
