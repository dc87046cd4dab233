import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TruncatedCount } from '#runs/truncated.ts';
import { activeTables } from '#search/active-tables.ts';
import { type PairProgress, scorePairs } from '#search/batch/pairs.ts';
import { storedQueries } from '#search/batch/queries.ts';
import { retrieve } from '#search/batch/retrieve.ts';
import { parseFilter } from '#search/filter/filter.ts';
import {
  type Answers,
  type PairsRequest,
  pairsRequestSchema,
  parseRequest,
  type Retrieve,
  type RetrieveRequest,
  retrieveRequestSchema,
} from '#search/request.ts';
import { requirePair } from '#search/rerank/match-subject.ts';
import { unlessAborted, untilAborted } from '#until-aborted.ts';
import type { ProgressOptions, RetrieveOptions } from './contract.ts';
import { fileQueries } from './file-queries.ts';
import type { IndexParts } from './index-parts.ts';

/** Ends with the process: what is written by then is gone on with by the same call. */
const NEVER = new AbortController().signal;

/** Every query of a file or of the collection itself against the collection; see `retrieve`. */
export async function answerRetrieve(
  { store, generations }: IndexParts,
  asked: RetrieveRequest,
  { signal = NEVER, onStart, onCut }: RetrieveOptions = {},
): Promise<Answers['retrieve']> {
  const { collection, ...request } = parseRequest(retrieveRequestSchema, asked, 'retrieve');
  const { queries, in: target, k, where, minScore, rerank } = request;
  const kind = target === 'images' ? 'image' : 'caption';
  if (rerank !== undefined && typeof queries === 'string')
    requirePair({ kind: queries === 'images' ? 'image' : 'text' }, kind);
  const { record } = await activeTables(store, collection);
  const truncated = new TruncatedCount();
  const cut = (id: string): void => {
    truncated.add(id);
    onCut?.(id);
  };
  return generations.use(record, async (loaded) => {
    const { tables } = loaded;
    const filter = where === undefined ? undefined : parseFilter(where, kind);
    const stream =
      typeof queries === 'string'
        ? storedQueries(tables, queries)
        : untilAborted(
            await fileQueries(queries.file, await unlessAborted(loaded.encoder(), signal), cut),
            signal,
          );
    const { nearestIds } = (await unlessAborted(loaded.scorers(), signal))[target];
    const crossEncoder =
      rerank === undefined ? undefined : await unlessAborted(loaded.crossEncoder(), signal);
    const rerankedBy = crossEncoder?.fingerprint;
    const order = { queries, in: target, k, where, minScore, generation: record.name, rerank, rerankedBy };
    const summary = await retrieve({
      ...{ queries: stream, nearestIds, rows: tables[target], k, where: filter, minScore, signal },
      ...(crossEncoder && rerank && { rereading: { crossEncoder, first: rerank, target: kind } }),
      out: resolve(request.out),
      asked: { ...order, file: await stamp(queries) },
      ...(onStart && { onStart }),
    });
    return { ...summary, truncated: { count: truncated.count, first: truncated.first } };
  });
}

/** What changes when the file of queries does. */
async function stamp(queries: Retrieve['queries']): Promise<string | undefined> {
  if (typeof queries === 'string') return undefined;
  const { size, mtimeMs } = await stat(queries.file);
  return `${size} ${mtimeMs}`;
}

/** Each picture of a collection with its own captions; see `scorePairs`. */
export async function answerPairs(
  { store }: IndexParts,
  asked: PairsRequest,
  { signal = NEVER, onStart }: ProgressOptions<PairProgress> = {},
): Promise<Answers['pairs']> {
  const { collection, threshold, out } = parseRequest(pairsRequestSchema, asked, 'score pairs');
  const tables = await activeTables(store, collection);
  return scorePairs({
    ...{ tables, threshold, signal, out: resolve(out) },
    asked: { kind: 'pairs', threshold, generation: tables.record.name },
    ...(onStart && { onStart }),
  });
}
