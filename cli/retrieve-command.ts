import { join, resolve } from 'node:path';
import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import { VlmoError } from '#errors.ts';
import type { RetrievalJob } from '#queue/job.ts';
import { retrieveQueued } from '#queue/retrieval-client.ts';
import type { Retrieve } from '#search/request.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import type { Call } from './call.ts';
import { EXIT_INTERRUPTED } from './exit-codes.ts';
import { noteDevice } from './note-device.ts';
import { openRedis, patienceOf, QUERY_SECONDS } from './open-queue.ts';
import { note } from './output.ts';
import { showPairs, showRetrieval, showUntilDone } from './progress.ts';
import { reportPairs, reportRetrieval } from './retrieve-report.ts';
import { stopOnSignals } from './signals.ts';

type RetrieveFlags = CommandConfig<'retrieve'>;

/** `vlmo retrieve`: many queries at once, into a file. */
export async function runRetrieve(
  flags: RetrieveFlags,
  _: readonly [],
  { origin }: Call<'retrieve'>,
): Promise<void> {
  checkUsage(flags, (name) => origin(name) === 'flag');
  const reranker = flags.queued ? undefined : flags.reranker;
  await using index = await openIndex(flags.index, { ...flags, reranker, note });
  using signals = stopOnSignals();
  if (flags.queued) await queued(index, flags, signals.signal);
  else if (flags.pairs) await pairs(index, flags, signals.signal);
  else await queries(index, flags, signals.signal);
}

async function queries(index: OpenIndex, flags: RetrieveFlags, signal: AbortSignal): Promise<void> {
  noteDevice(flags.device, await resolveDevice(flags.device));
  const { collection, in: target = 'images', k, where, minScore, rerank } = flags;
  const out = resolve(flags.out);
  using progress = showUntilDone(showRetrieval);
  const started = performance.now();
  const summary = await index.retrieve(
    { collection, queries: named(flags), in: target, k, where, minScore, rerank, out },
    { signal, onStart: progress.start },
  );
  progress.end();
  reportRetrieval(summary, (performance.now() - started) / 1000, flags);
}

async function pairs(index: OpenIndex, flags: RetrieveFlags, signal: AbortSignal): Promise<void> {
  const { collection, threshold } = flags;
  using progress = showUntilDone(showPairs);
  const asked = { collection, threshold, out: resolve(flags.out) };
  const summary = await index.pairs(asked, { signal, onStart: progress.start });
  progress.end();
  reportPairs(summary, flags);
}

/** The worker reads a file of queries by its path. */
async function queued(index: OpenIndex, flags: RetrieveFlags, signal: AbortSignal): Promise<void> {
  const patience = { seconds: patienceOf(flags, QUERY_SECONDS), signal };
  await using redis = await openRedis(index, flags, patience);
  const { collection, in: target = 'images', k, where, minScore, rerank, threshold = -1, out } = flags;
  const job: RetrievalJob = flags.pairs
    ? { kind: 'pairs', collection, threshold, out }
    : { kind: 'retrieve', collection, queries: named(flags), in: target, k, where, minScore, rerank, out };
  const shown = { ...flags, out: join(index.folder, 'results', out) };
  const started = performance.now();
  try {
    const summary = await retrieveQueued(redis.client, index.id, job, patience);
    if ('kept' in summary) reportPairs(summary, shown);
    else reportRetrieval(summary, (performance.now() - started) / 1000, shown);
  } catch (error) {
    if (!signal.aborted) throw error;
    note('The job goes on without this command; the same command waits for it again.');
    process.exitCode = EXIT_INTERRUPTED;
  }
}

function named({ queries = '' }: RetrieveFlags): Retrieve['queries'] {
  return queries === 'captions' || queries === 'images' ? queries : { file: resolve(queries) };
}

function checkUsage(
  { pairs, queries, in: target, threshold, queued, rerank }: RetrieveFlags,
  isFlag: (name: 'model' | 'device' | 'reranker') => boolean,
): void {
  const refuse = (expected: string, received: string): never => {
    throw new VlmoError('USAGE_INVALID', `Cannot retrieve: expected ${expected}, received ${received}`);
  };
  if (pairs && (queries !== undefined || target !== undefined))
    refuse('--pairs, or --queries and --in', 'both');
  if (!pairs && (queries === undefined || queries === ''))
    refuse('--queries captions, images or a file, or --pairs', 'neither');
  if (!pairs && target === undefined) refuse('--in images or --in captions beside --queries', 'neither');
  if (queued && isFlag('model')) refuse('--model or --queued', 'both');
  if (queued && isFlag('device')) refuse('--device or --queued', 'both');
  if (queued && isFlag('reranker')) refuse('--reranker or --queued', 'both');
  if (pairs && rerank !== undefined) refuse('--pairs or --rerank', 'both');
  if (rerank === undefined && isFlag('reranker')) refuse('--rerank HITS beside --reranker', 'none');
  if (!pairs && threshold !== undefined) refuse('--pairs beside --threshold', 'none');
}
