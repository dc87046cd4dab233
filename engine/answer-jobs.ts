import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { QueryJob, RetrievalJob } from '#queue/job.ts';
import type { Answers } from '#search/request.ts';
import type { OpenIndex } from '#service/contract.ts';

/** A search or something to embed, as a job asks for it. */
export async function answerQueryJob(
  index: OpenIndex,
  job: QueryJob,
  signal: AbortSignal,
): Promise<Answers['search'] | Answers['embed']> {
  if (job.kind === 'search') {
    const { kind, timeoutMs, ...request } = job;
    return index.search(request, { signal });
  }
  const { kind, timeoutMs, ...request } = job;
  const vectors = await index.embed(request, { signal });
  return { embeddings: vectors.map((vector) => Array.from(vector)) };
}

/**
 * Does a retrieval job. A job names no folder: its file goes into `results` of the index, so that whoever may add jobs
 * cannot write anywhere else.
 */
export async function answerRetrievalJob(
  index: OpenIndex,
  job: RetrievalJob,
  signal: AbortSignal,
): Promise<Answers['retrieve'] | Answers['pairs']> {
  const folder = join(index.folder, 'results');
  await mkdir(folder, { recursive: true });
  const out = join(folder, job.out);
  if (job.kind === 'pairs') {
    const { collection, threshold } = job;
    return index.pairs({ collection, threshold, out }, { signal });
  }
  const { kind, ...request } = job;
  return index.retrieve({ ...request, out }, { signal });
}
