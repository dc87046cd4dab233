import type { CommandConfig } from '#config/commands.ts';
import { VlmoError } from '#errors.ts';
import { createQueryClient } from '#queue/query-client.ts';
import { activeTables } from '#search/active-tables.ts';
import type { SearchAnswer, SearchRequest, SearchTarget } from '#search/request.ts';
import type { GenerationTables, Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import type { Call } from './call.ts';
import { noteCutTexts } from './note-cut.ts';
import { openRedis } from './open-queue.ts';
import { note, print, printJson } from './output.ts';
import { resolveModel } from './resolve-model.ts';
import { type SearchPlace, searchHere } from './search-here.ts';
import { hitsTable, nextPageCommand } from './search-output.ts';
import { type AskedQuery, readQuery } from './search-query.ts';

type SearchFlags = CommandConfig<'search'>;

/** `vlmo search`: by text, by picture, by both, or by what is stored under an id. */
export async function runSearch(
  flags: SearchFlags,
  [text]: readonly [string | undefined],
  { origin }: Call<'search'>,
): Promise<void> {
  if (flags.queued && origin('device') === 'flag') refuse('--device or --queued', 'both');
  const asked = readQuery(text, flags);
  const request = readRequest(flags, asked.keywords);
  await using store = await openStore(flags.index, { create: false });
  const tables = await activeTables(store, flags.collection);
  const place = readPlace(flags);
  await noteCutTexts(asked.texts, place.modelPath ?? tables.record.modelPath);
  const answer = flags.queued
    ? await askWorker(store, asked, request, flags)
    : await searchHere(tables, asked.query, request, place);
  if (flags.json) {
    const { hits, cursor, approximate } = answer;
    printJson({ query: asked.shown, hits, cursor, approximate });
  } else await printAnswer(answer, tables, flags);
}

function readRequest(flags: SearchFlags, keywords: string | undefined): SearchRequest {
  const { k, where, minScore, rerank, minMatch, groupBy, cursor, approximate } = flags;
  if (minMatch !== undefined && rerank === undefined) refuse('--rerank HITS beside --min-match', 'none');
  const order = { where, minScore, rerank, minMatch, groupBy, keywords, approximate };
  return { in: flags.in, k, cursor, ...order };
}

function readPlace({ model, ...limits }: SearchFlags): SearchPlace {
  return { ...limits, modelPath: model === undefined ? undefined : resolveModel(model) };
}

/** The worker reads a picture by its path, and computes on a device of its own. */
async function askWorker(
  store: Store,
  { job }: AskedQuery,
  request: SearchRequest,
  flags: SearchFlags,
): Promise<SearchAnswer> {
  await using redis = await openRedis(store, flags);
  await using client = await createQueryClient(redis.client, store.id);
  const { collection } = flags;
  return (await client.query({ kind: 'search', collection, ...request, ...job })) as SearchAnswer;
}

async function printAnswer(
  { hits, cursor, approximate }: SearchAnswer,
  tables: GenerationTables,
  flags: SearchFlags,
): Promise<void> {
  if (hits.length > 0) print(hitsTable(hits, flags.meta));
  else note(flags.cursor === undefined ? await describeEmpty(tables, flags.in) : 'Nothing is left.');
  if (approximate) note('Found by the index of the vectors: some hits may be missing.');
  if (cursor !== null) note(`Next page: ${nextPageCommand(process.argv.slice(2), cursor)}`);
}

function refuse(expected: string, received: string): never {
  throw new VlmoError('USAGE_INVALID', `Cannot search: expected ${expected}, received ${received}`);
}

async function describeEmpty(tables: GenerationTables, target: SearchTarget): Promise<string> {
  const count = await tables[target].count();
  if (count > 0) return `None of the ${count} ${target} matches.`;
  return `The collection "${tables.record.collection}" holds no ${target} yet: vlmo index SOURCE --index … adds some.`;
}
