import type { QueryAnswer } from '#engine/protocol.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import type { QueryJob } from '#queue/job.ts';
import { activeTables } from '#search/active-tables.ts';
import { composeVector, type WeightedText } from '#search/compose-query.ts';
import { embedQuery } from '#search/query.ts';
import type { SearchDeps } from '#search/ranking/build-ranking.ts';
import type { SearchAnswer } from '#search/request.ts';
import { chooseSubject, type MatchSubject, storedSubject } from '#search/rerank/match-subject.ts';
import { createPoolCrossEncoder } from '#search/rerank/pool-cross-encoder.ts';
import { rerank } from '#search/rerank/rerank.ts';
import { search } from '#search/search.ts';
import type { GenerationTables, ItemKind, Store } from '#store/contract.ts';
import { decodeOne } from '#workers/decode/decode-one.ts';
import type { LoadedGeneration, LoadedGenerations } from './loaded-generations.ts';

/**
 * Answers a search or embeds, by the generation that serves the collection, ahead of all bulk work that waits for the
 * same threads. Throws COLLECTION_NOT_FOUND, SEARCH_ITEM_NOT_FOUND, and what reading a picture, `composeVector`,
 * `search` and `rerank` throw.
 */
export async function answerQuery(
  store: Store,
  generations: LoadedGenerations,
  query: QueryJob,
): Promise<QueryAnswer> {
  const tables = await activeTables(store, query.collection);
  return generations.use(tables.record, async (loaded) => {
    if (query.kind === 'search') return answerSearch(tables, loaded, query);
    const { image, texts = [] } = query;
    const data = await (image === undefined ? embedTexts(loaded, texts) : embedPicture(loaded, image));
    return { embeddings: toRows(data, tables.record.dimensions) };
  });
}

async function answerSearch(
  tables: GenerationTables,
  loaded: LoadedGeneration,
  query: SearchJob,
): Promise<SearchAnswer> {
  // What cannot be read with the rows is refused before anything is embedded.
  const reranking = query.rerank === undefined ? undefined : await planReranking(tables, loaded, query);
  const vector =
    query.id === undefined
      ? await embedParts(loaded, partsOf(query))
      : await embedQuery(tables, { kind: 'id', id: query.id }, { maxPixels: 0 });
  return search(tables, vector, query, { scorers: loaded.scorers, rerank: reranking });
}

async function planReranking(
  tables: GenerationTables,
  { model, pools }: LoadedGeneration,
  query: SearchJob,
): Promise<NonNullable<SearchDeps['rerank']>> {
  const crossEncoder = await createPoolCrossEncoder(model, pools);
  const kind = query.in === 'images' ? 'image' : 'caption';
  const subject =
    query.id === undefined ? subjectOf(partsOf(query), kind) : await storedSubject(tables, query.id, kind);
  return (ranking, first, minMatch) => rerank(ranking, { crossEncoder, subject, first, minMatch });
}

function subjectOf(parts: Parts, kind: ItemKind): MatchSubject {
  const chosen = chooseSubject(parts, kind);
  return chosen.kind === 'text' ? chosen : { kind: 'image', picture: parts.image?.uri ?? '' };
}

type SearchJob = Extract<QueryJob, { readonly kind: 'search' }>;

interface Parts {
  readonly texts: readonly WeightedText[];
  readonly image?: { readonly uri: string; readonly weight: number };
}

function partsOf({ text, texts, image, imageWeight: weight = 1 }: SearchJob): Parts {
  const given = texts ?? (text === undefined ? [] : [{ text, weight: 1 }]);
  return { texts: given, ...(image !== undefined && { image: { uri: image, weight } }) };
}

/** One text at a time, so that the same query has the same vector wherever it is asked. */
async function embedParts(loaded: LoadedGeneration, { texts, image }: Parts): Promise<Float32Array> {
  const parts = texts.map(async ({ text, weight }) => ({ vector: await embedTexts(loaded, [text]), weight }));
  if (image) {
    const { uri, weight } = image;
    parts.push(embedPicture(loaded, uri).then((vector) => ({ vector, weight })));
  }
  return composeVector(await Promise.all(parts));
}

function embedTexts({ pools }: LoadedGeneration, texts: readonly string[]): Promise<Float32Array> {
  return pools.inference.runUrgent({ kind: 'texts', texts });
}

async function embedPicture({ model, pools }: LoadedGeneration, uri: string): Promise<Float32Array> {
  const pixels = new SharedArrayBuffer(pictureValues(model.config));
  await decodeOne(pools.preprocess, { uri }, pixels);
  return pools.inference.runUrgent({ kind: 'images', pixels, count: 1 });
}

function toRows(data: Float32Array, width: number): number[][] {
  return Array.from({ length: data.length / width }, (_, i) => [
    ...data.subarray(i * width, (i + 1) * width),
  ]);
}
