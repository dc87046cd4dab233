import type { VlmoError } from '#errors.ts';
import type { GraphKind } from '#model/vlmo/network.ts';
import { requireHead } from '#model/vlmo/sessions.ts';
import { loadVlmo, type Vlmo } from '#model/vlmo/vlmo.ts';
import type { GenerationTables, ItemKind } from '#store/contract.ts';
import type { PreprocessPool } from '#workers/decode/preprocess-pool.ts';
import {
  embedParts,
  embedQuery,
  graphsOf,
  openGenerationModel,
  partsOf,
  preprocessMode,
  type Query,
  type QueryOptions,
  type QueryParts,
  queryPreprocessor,
} from './query.ts';
import type { Ranked, Ranking } from './ranking/ranking.ts';
import { createLocalCrossEncoder } from './rerank/local-cross-encoder.ts';
import { chooseSubject, type MatchSubject, storedSubject } from './rerank/match-subject.ts';
import { rerank } from './rerank/rerank.ts';

export interface LocalQueryOptions extends QueryOptions {
  readonly maxImageBytes: number;
  /** Told of a row whose picture cannot be read any more, and why. */
  readonly warn?: (row: Ranked, reason: VlmoError) => void;
}

/** A query and the model that embedded it, loaded in this thread to read rows again with. */
export interface LocalQuery extends AsyncDisposable {
  /** As `embedQuery` gives it. */
  readonly vector: Float32Array;
  /** The first rows of an order, as `rerank` orders them. */
  rerank(ranking: Ranking, first: number, minMatch?: number): Ranking;
}

/**
 * Embeds a query, and keeps what re-ranking rows of this kind needs: the model is loaded once, the query's picture is
 * decoded once. Throws what `embedQuery` throws; and before the model is loaded MODEL_HEAD_MISSING, and USAGE_INVALID
 * for a query that such rows cannot be read with.
 */
export async function openLocalQuery(
  tables: GenerationTables,
  query: Query,
  target: ItemKind,
  options: LocalQueryOptions,
): Promise<LocalQuery> {
  const { record } = tables;
  const model = await openGenerationModel(record, options.modelPath ?? record.modelPath);
  requireHead(model, 'fusion');
  const { graphs, embed } =
    query.kind === 'id'
      ? await planStored(tables, query, target, options)
      : planParts(partsOf(query), target);
  // First, so that its process starts while the model is loaded.
  const preprocess = queryPreprocessor(model, preprocessMode(record), options);
  let vlmo: Vlmo | undefined;
  const close = async (): Promise<void> => {
    await preprocess[Symbol.asyncDispose]();
    await vlmo?.[Symbol.asyncDispose]();
  };
  try {
    // Together: each opening of a float16 model widens its weights anew.
    vlmo = await loadVlmo(model, {
      graphs: [...graphs, 'fusion'],
      provider: options.provider ?? 'cpu',
    });
    const { vector, subject } = await embed(vlmo, preprocess);
    const crossEncoder = await createLocalCrossEncoder(vlmo, preprocess);
    return {
      vector,
      rerank: (ranking, first, minMatch) =>
        rerank(ranking, { crossEncoder, subject, first, minMatch, warn: options.warn }),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** How a query is embedded: by which graphs, and what of it rows are read with. */
interface Plan {
  readonly graphs: readonly GraphKind[];
  embed(
    vlmo: Vlmo,
    preprocess: PreprocessPool,
  ): Promise<{ readonly vector: Float32Array; readonly subject: MatchSubject }>;
}

async function planStored(
  tables: GenerationTables,
  query: Extract<Query, { readonly kind: 'id' }>,
  target: ItemKind,
  { maxPixels }: QueryOptions,
): Promise<Plan> {
  const subject = await storedSubject(tables, query.id, target);
  const vector = await embedQuery(tables, query, { maxPixels });
  return { graphs: [], embed: async () => ({ vector, subject }) };
}

function planParts(parts: QueryParts, target: ItemKind): Plan {
  const chosen = chooseSubject(parts, target);
  return {
    graphs: graphsOf(parts),
    async embed(vlmo, preprocess) {
      const { vector, samples } = await embedParts(vlmo, parts, preprocess);
      if (chosen.kind === 'text') return { vector, subject: chosen };
      if (!samples) throw new Error('A picture to match with was not decoded: this is a bug');
      return { vector, subject: { kind: 'image', picture: samples } };
    },
  };
}
