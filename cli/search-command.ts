import { Command, Option } from 'commander';
import { VlmoError } from '#errors.ts';
import { createQueryClient } from '#queue/query-client.ts';
import { activeTables } from '#search/active-tables.ts';
import type { SearchAnswer, SearchRequest, SearchTarget } from '#search/request.ts';
import type { GenerationTables, Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { addConfigOptions, readConfig } from './config-options.ts';
import { addRedisOption, openRedis, type RedisFlags } from './open-queue.ts';
import { note, print, printJson } from './output.ts';
import { finiteNumber, positiveInteger, share } from './parse-arguments.ts';
import { resolveModel } from './resolve-model.ts';
import { type SearchPlace, searchHere } from './search-here.ts';
import { hitsTable, nextPageCommand } from './search-output.ts';
import { type AskedQuery, type QueryFlags, readQuery } from './search-query.ts';

interface SearchFlags extends RedisFlags, QueryFlags {
  readonly index: string;
  readonly collection: string;
  readonly in: SearchTarget;
  readonly k: number;
  readonly where?: string;
  readonly minScore?: number;
  readonly rerank?: number;
  readonly minMatch?: number;
  readonly groupBy?: 'image_id';
  readonly cursor?: string;
  readonly approximate?: true;
  readonly device?: string;
  readonly model?: string;
  readonly queued?: true;
  readonly json?: true;
}

/** `vlmo search`: by text, by picture, by both, or by what is stored under an id. */
export function searchCommand(): Command {
  const command = new Command('search')
    .description('Find pictures or captions by text, by picture, or by what is stored already')
    .argument('[text]', 'what to look for; or parts in double quotes: \'"red apple"^2 "table" -"people"\'')
    .requiredOption('--index <folder>', 'the index')
    .option('--collection <name>', 'the collection', 'default')
    .option('--image <file>', 'look for what is like this picture, and the text where there is one')
    .option('--image-weight <weight>', 'how much the picture counts beside the text', finiteNumber)
    .option('--id <id>', 'look for what is like the item stored under this id')
    .addOption(new Option('--in <kind>', 'what to find').choices(['images', 'captions']).default('images'))
    .option('-k <hits>', 'how many hits at most', positiveInteger, 10)
    .option('--where <filter>', `only items that match, e.g. "width >= 640 and meta.year = 2020"`)
    .option('--min-score <cosine>', 'only hits of at least this cosine', finiteNumber)
    .option('--rerank <hits>', 'read so many of the best again by the fusion encoder', positiveInteger)
    .option('--min-match <probability>', 'with --rerank, only hits of at least this match', share)
    .addOption(new Option('--group-by <column>', 'the best hit of each picture only').choices(['image_id']))
    .option('--hybrid', 'lift what has captions with the words of the text')
    .option('--keywords <words>', 'lift what has captions with these words')
    .option('--approximate', 'by the index of the vectors, which may miss some')
    .option('--cursor <cursor>', 'the page behind an earlier one of the same search')
    .option('--model <folder>', 'where the model of the collection lies now, if it moved')
    .option('--queued', 'let a running "vlmo worker" answer, which has the model loaded already')
    .option('--json', 'print JSON');
  return addConfigOptions(addRedisOption(command), ['device']).action(runSearch);
}

async function runSearch(text: string | undefined, flags: SearchFlags): Promise<void> {
  if (flags.queued && flags.device !== undefined) refuse('--device or --queued', 'both');
  const asked = readQuery(text, flags);
  const request = readRequest(flags, asked.keywords);
  await using store = await openStore(flags.index, { create: false });
  const tables = await activeTables(store, flags.collection);
  const answer = flags.queued
    ? await askWorker(store, asked, request, flags)
    : await searchHere(tables, asked.query, request, await readPlace(flags));
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

async function readPlace(flags: SearchFlags): Promise<SearchPlace> {
  const { device } = await readConfig(['device'], flags);
  return { device, modelPath: flags.model === undefined ? undefined : resolveModel(flags.model) };
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
  if (hits.length > 0) print(hitsTable(hits));
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
