import type { ErrorData } from '#errors.ts';
import type { Item } from '#sources/item.ts';
import type { KindCounts } from '#store/kind-counts.ts';
import type { Indexer } from './indexer.ts';
import type { Planner } from './lookup.ts';
import { ProgressCounter } from './progress.ts';

export interface Chunk {
  readonly run: string;
  /** Number of the run; null for a job that belongs to none. */
  readonly runNumber: number | null;
  /** Name of the source that items are of which name none themselves. */
  readonly source: string;
  readonly items: readonly Item[];
  /** Try again what is listed as failed. */
  readonly retryFailed: boolean;
  /** Read files too that have not changed. */
  readonly verify?: boolean | undefined;
}

/** What has become of the items of a chunk: stored + skipped + failed are all of them. */
export interface ChunkTally {
  readonly stored: number;
  readonly skipped: number;
  readonly failed: number;
  /** The same of pictures and captions apart. */
  readonly kinds: KindCounts;
  /** Those of the failed that were tried now, and how often they have been tried. */
  readonly failures: readonly { readonly item: Item; readonly error: ErrorData; readonly attempts: number }[];
}

/**
 * Takes one chunk all the way; other chunks may be under way in the same indexer. Resolves when everything is
 * committed. Throws STORE_READ_FAILED or STORE_WRITE_FAILED; what was committed stays, and the chunk can be done again.
 */
export async function indexChunk(indexer: Indexer, plan: Planner, chunk: Chunk): Promise<ChunkTally> {
  const counts = new ProgressCounter(() => undefined);
  const failures: ChunkTally['failures'][number][] = [];
  const { run, runNumber, retryFailed, verify, source, items } = chunk;
  const { end } = await indexer.begin(
    {
      ...{ run, runNumber, retryFailed, verify },
      add: (count, kind, items) => counts.add(count, kind, items),
      onFailure: (item, error, attempts) => failures.push({ item, error, attempts }),
    },
    await plan(items, source),
  );
  await end;
  // The last one under way waits for nobody.
  await (indexer.isIdle ? indexer.writer.flush() : indexer.writer.committed());
  const { stored, skipped, failed, kinds } = counts.snapshot();
  return { stored, skipped, failed, kinds, failures };
}
