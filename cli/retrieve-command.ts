import { join, resolve } from 'node:path';
import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import { VlmoError } from '#errors.ts';
import { pictureBatchSize } from '#pipeline/batch-size.ts';
import type { RetrievalJob } from '#queue/job.ts';
import { retrieveQueued } from '#queue/retrieval-client.ts';
import { TruncatedCount } from '#runs/truncated.ts';
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import { activeTables } from '#search/active-tables.ts';
import { type PairSummary, scorePairs } from '#search/batch/pairs.ts';
import type { RetrievalSummary } from '#search/batch/retrieve.ts';
import { openGenerationModel } from '#search/query.ts';
import { type RetrieveRequest, runRetrieval } from '#service/retrieve.ts';
import type { GenerationTables, Store, VectorTable } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { localFolderOf } from '#store/local-folder.ts';
import { createPools, type Pools } from '#workers/threads/create-pools.ts';
import { EXIT_INTERRUPTED } from './exit-codes.ts';
import { noteDevice } from './note-device.ts';
import { openRedis } from './open-queue.ts';
import { note } from './output.ts';
import { Owned } from './owned.ts';
import { showPairs, showRetrieval } from './progress.ts';
import { resolveModel } from './resolve-model.ts';
import { reportPairs, reportRetrieval } from './retrieve-report.ts';
import { stopOnSignals } from './signals.ts';

type RetrieveFlags = CommandConfig<'retrieve'>;

/** `vlmo retrieve`: many queries at once, into a file. */
export async function runRetrieve(flags: RetrieveFlags): Promise<void> {
  checkUsage(flags);
  await using store = await openStore(flags.index, { create: false });
  const tables = await activeTables(store, flags.collection);
  using signals = stopOnSignals();
  if (flags.queued) await queued(store, flags, signals.signal);
  else if (flags.pairs) await pairs(tables, flags, signals.signal);
  else await queries(tables, flags, signals.signal);
}

async function queries(tables: GenerationTables, flags: RetrieveFlags, signal: AbortSignal): Promise<void> {
  const device = await resolveDevice(flags.device);
  noteDevice(flags.device, device);
  await using stack = new Owned();
  const { in: target = 'images', k, where, minScore } = flags;
  const started = performance.now();
  const truncated = new TruncatedCount();
  const summary = await runRetrieval(
    {
      ...{ tables, signal },
      nearestIds(target) {
        const options = { device, dimensions: tables.record.dimensions };
        const table: VectorTable<{ readonly id: string }> = tables[target];
        return stack.use(createResidentScorer(table, options)).nearestIds;
      },
      async loadModel() {
        const path = flags.model === undefined ? tables.record.modelPath : resolveModel(flags.model);
        const model = await openGenerationModel(tables.record, path);
        const preprocess = tables.record.preprocess as 'fast' | 'reference';
        const pools: Pools = stack.use(
          await createPools(model, { ...flags, provider: device.provider, preprocess }),
        );
        const isGpu = device.provider !== 'cpu';
        const batchSize =
          flags.batchSize === 'auto' ? pictureBatchSize(model.config, isGpu) : flags.batchSize;
        return { model, pools, batchSize, onCut: (id) => truncated.add(id) };
      },
      onStart: (ask) => void stack.use(showRetrieval(ask)),
    },
    { queries: named(flags), in: target, k, where, minScore, out: resolve(flags.out) },
  );
  reportRetrieval(summary, (performance.now() - started) / 1000, { ...flags, truncated });
}

async function pairs(tables: GenerationTables, flags: RetrieveFlags, signal: AbortSignal): Promise<void> {
  await using stack = new Owned();
  const threshold = flags.threshold ?? -1;
  const asked = { kind: 'pairs', threshold, generation: tables.record.name };
  const out = resolve(flags.out);
  const onStart = (ask: Parameters<typeof showPairs>[0]): void => void stack.use(showPairs(ask));
  reportPairs(await scorePairs({ tables, threshold, out, asked, signal, onStart }), flags);
}

/** The worker reads a file of queries by its path. */
async function queued(store: Store, flags: RetrieveFlags, signal: AbortSignal): Promise<void> {
  await using redis = await openRedis(store, flags);
  const { collection, k, where, minScore, threshold = -1, out } = flags;
  const job: RetrievalJob = flags.pairs
    ? { kind: 'pairs', collection, threshold, out }
    : {
        kind: 'retrieve',
        collection,
        queries: named(flags),
        in: flags.in ?? 'images',
        k,
        where,
        minScore,
        out,
      };
  const shown = { ...flags, out: join(localFolderOf(store), 'results', out) };
  const started = performance.now();
  try {
    const summary = await retrieveQueued(redis.client, store.id, job, signal);
    if (flags.pairs) reportPairs(summary as PairSummary, shown);
    else reportRetrieval(summary as RetrievalSummary, (performance.now() - started) / 1000, shown);
  } catch (error) {
    if (!signal.aborted) throw error;
    note('The job goes on without this command; the same command waits for it again.');
    process.exitCode = EXIT_INTERRUPTED;
  }
}

function named({ queries = '' }: RetrieveFlags): RetrieveRequest['queries'] {
  return queries === 'captions' || queries === 'images' ? queries : { file: resolve(queries) };
}

function checkUsage({ pairs, queries, in: target, threshold }: RetrieveFlags): void {
  const refuse = (expected: string, received: string): never => {
    throw new VlmoError('USAGE_INVALID', `Cannot retrieve: expected ${expected}, received ${received}`);
  };
  if (pairs && (queries !== undefined || target !== undefined))
    refuse('--pairs, or --queries and --in', 'both');
  if (!pairs && (queries === undefined || queries === ''))
    refuse('--queries captions, images or a file, or --pairs', 'neither');
  if (!pairs && target === undefined) refuse('--in images or --in captions beside --queries', 'neither');
  if (!pairs && threshold !== undefined) refuse('--pairs beside --threshold', 'none');
}
