import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RetrievalJob } from '#queue/job.ts';
import { activeTables } from '#search/active-tables.ts';
import { type PairSummary, scorePairs } from '#search/batch/pairs.ts';
import type { RetrievalSummary } from '#search/batch/retrieve.ts';
import type { Store } from '#store/contract.ts';
import { localFolderOf } from '#store/local-folder.ts';
import type { LoadedGenerations } from './loaded-generations.ts';
import { runRetrieval } from './retrieve.ts';

/** Ends with the process: what is written by then is gone on with by whoever gets the job next. */
const NEVER = new AbortController().signal;

/**
 * Does a retrieval job. A job names no folder: its file goes into `results` of the index, so that whoever may add jobs
 * cannot write anywhere else. Throws COLLECTION_NOT_FOUND, and what `runRetrieval` and `scorePairs` throw.
 */
export async function answerRetrieval(
  store: Store,
  generations: LoadedGenerations,
  job: RetrievalJob,
): Promise<RetrievalSummary | PairSummary> {
  const tables = await activeTables(store, job.collection);
  const out = await resultsPath(localFolderOf(store), job.out);
  if (job.kind === 'pairs') {
    const { kind, threshold } = job;
    const asked = { kind, threshold, generation: tables.record.name };
    return scorePairs({ tables, threshold, out, asked, signal: NEVER });
  }
  return generations.use(tables.record, ({ scorers, model, pools, batchSize }) =>
    runRetrieval(
      {
        ...{ tables, signal: NEVER },
        nearestIds: (target) => scorers[target].nearestIds,
        loadModel: async () => ({ model, pools, batchSize }),
      },
      { ...job, out },
    ),
  );
}

async function resultsPath(index: string, name: string): Promise<string> {
  const folder = join(index, 'results');
  await mkdir(folder, { recursive: true });
  return join(folder, name);
}
