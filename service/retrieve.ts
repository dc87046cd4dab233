import { stat } from 'node:fs/promises';
import { storedQueries } from '#search/batch/queries.ts';
import {
  type Retrieval,
  type RetrievalProgress,
  type RetrievalSummary,
  retrieve,
} from '#search/batch/retrieve.ts';
import { parseFilter } from '#search/filter/filter.ts';
import type { SearchTarget } from '#search/request.ts';
import type { GenerationTables } from '#store/contract.ts';
import { fileQueries, type QueryModel } from './file-queries.ts';

/** What a batch retrieval is asked for. */
export interface RetrieveRequest {
  /** What the collection stores, or the path of a file of queries. */
  readonly queries: 'images' | 'captions' | { readonly file: string };
  readonly in: SearchTarget;
  readonly k: number;
  readonly where?: string | undefined;
  readonly minScore?: number | undefined;
  readonly out: string;
}

export interface RetrieveDeps {
  readonly tables: GenerationTables;
  /** What scores the images, or the captions. */
  nearestIds(target: SearchTarget): Retrieval['nearestIds'];
  /** Called where queries have to be embedded; closed by whom it belongs to. */
  loadModel(): Promise<QueryModel>;
  readonly signal: AbortSignal;
  readonly onStart?: (progress: () => RetrievalProgress) => void;
}

/** Every query of a file or of the collection itself against the collection; see `retrieve`. Throws FILTER_INVALID too. */
export async function runRetrieval(means: RetrieveDeps, request: RetrieveRequest): Promise<RetrievalSummary> {
  const { tables, signal, onStart } = means;
  const { in: target, k, where, minScore, out, queries } = request;
  const filter =
    where === undefined ? undefined : parseFilter(where, target === 'images' ? 'image' : 'caption');
  const stream =
    typeof queries === 'string'
      ? storedQueries(tables, queries)
      : await fileQueries(queries.file, await means.loadModel());
  const asked = {
    queries,
    in: target,
    k,
    where,
    minScore,
    generation: tables.record.name,
    file: await stamp(queries),
  };
  return retrieve({
    ...{
      queries: stream,
      nearestIds: means.nearestIds(target),
      rows: tables[target],
      k,
      where: filter,
      minScore,
      out,
      asked,
      signal,
    },
    ...(onStart ? { onStart } : {}),
  });
}

/** What changes when the file of queries does. */
async function stamp(queries: RetrieveRequest['queries']): Promise<string | undefined> {
  if (typeof queries === 'string') return undefined;
  const { size, mtimeMs } = await stat(queries.file);
  return `${size} ${mtimeMs}`;
}
