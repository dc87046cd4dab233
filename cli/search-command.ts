import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { INDEX_OPTIONS } from '#config/options.ts';
import { VlmoError } from '#errors.ts';
import { createQueryClient } from '#queue/query-client.ts';
import { activeTables } from '#search/active-tables.ts';
import { embedQuery, type Query } from '#search/query.ts';
import { type Hit, type SearchTarget, search } from '#search/search.ts';
import type { GenerationTables, Store } from '#store/contract.ts';
import { openStore } from '#store/open-store.ts';
import { readPicture } from '#workers/read-picture.ts';
import { addRedisOption, openRedis, type RedisFlags } from './open-queue.ts';
import { note, print, printJson, table } from './output.ts';
import { finiteNumber, positiveInteger } from './parse-arguments.ts';
import { resolveModel } from './resolve-model.ts';

interface SearchFlags extends RedisFlags {
  readonly index: string;
  readonly collection: string;
  readonly image?: string;
  readonly id?: string;
  readonly in: SearchTarget;
  readonly k: number;
  readonly where?: string;
  readonly minScore?: number;
  readonly model?: string;
  readonly queued?: true;
  readonly json?: true;
}

/** `vlmo search`: by text, by picture, or by what is stored under an id. */
export function searchCommand(): Command {
  const command = new Command('search')
    .description('Find pictures or captions by text, by picture, or by what is stored already')
    .argument('[text]', 'what to look for')
    .requiredOption('--index <folder>', 'the index')
    .option('--collection <name>', 'the collection', 'default')
    .option('--image <file>', 'look for what is like this picture')
    .option('--id <id>', 'look for what is like the item stored under this id')
    .addOption(new Option('--in <kind>', 'what to find').choices(['images', 'captions']).default('images'))
    .option('-k <hits>', 'how many hits at most', positiveInteger, 10)
    .option('--where <filter>', `only items that match, e.g. "width >= 640 and meta.year = 2020"`)
    .option('--min-score <cosine>', 'only hits of at least this cosine', finiteNumber)
    .option('--model <folder>', 'where the model of the collection lies now, if it moved')
    .option('--queued', 'let a running "vlmo worker" answer, which has the model loaded already')
    .option('--json', 'print JSON');
  return addRedisOption(command).action(runSearch);
}

async function runSearch(text: string | undefined, flags: SearchFlags): Promise<void> {
  const { query, shown } = readQuery(text, flags);
  await using store = await openStore(flags.index, { create: false });
  const tables = await activeTables(store, flags.collection);
  const hits = flags.queued ? await askWorker(store, query, flags) : await searchHere(tables, query, flags);
  if (flags.json) printJson({ query: shown, hits });
  else printHits(hits, await describeEmpty(tables, flags.in));
}

async function searchHere(tables: GenerationTables, query: Query, flags: SearchFlags): Promise<Hit[]> {
  const modelPath = flags.model === undefined ? undefined : resolveModel(flags.model);
  const vector = await embedQuery(tables, query, { modelPath, maxPixels: INDEX_OPTIONS.maxPixels.default });
  const { k, where, minScore } = flags;
  return search(tables, vector, { in: flags.in, k, where, minScore });
}

/** The worker reads a picture by its path. */
async function askWorker(store: Store, query: Query, flags: SearchFlags): Promise<readonly Hit[]> {
  await using redis = await openRedis(store, flags);
  await using client = await createQueryClient(redis.client, store.id);
  const { collection, in: target, k, where, minScore } = flags;
  const asked =
    query.kind === 'image'
      ? { image: resolve(query.name ?? '') }
      : query.kind === 'id'
        ? { id: query.id }
        : { text: query.text };
  const answer = await client.query({ kind: 'search', collection, in: target, k, where, minScore, ...asked });
  return (answer as { readonly hits: readonly Hit[] }).hits;
}

function readQuery(text: string | undefined, { image, id }: SearchFlags): { query: Query; shown: string } {
  const given = [text, image, id].filter((value) => value !== undefined);
  if (given.length !== 1 || given[0]?.trim() === '') {
    throw new VlmoError(
      'USAGE_INVALID',
      `Cannot search: expected one of a text, --image FILE and --id ID, received ${given.length === 1 ? 'an empty one' : given.length}`,
    );
  }
  if (image !== undefined) {
    const bytes = readPicture(image, INDEX_OPTIONS.maxImageBytes.default);
    return { query: { kind: 'image', bytes, name: image }, shown: image };
  }
  if (id !== undefined) return { query: { kind: 'id', id }, shown: id };
  return { query: { kind: 'text', text: text ?? '' }, shown: text ?? '' };
}

async function describeEmpty(tables: GenerationTables, target: SearchTarget): Promise<string> {
  const count = await tables[target].count();
  if (count > 0) return `None of the ${count} ${target} matches.`;
  return `The collection "${tables.record.collection}" holds no ${target} yet: vlmo index SOURCE --index … adds some.`;
}

function printHits(hits: readonly Hit[], empty: string): void {
  if (hits.length === 0) {
    note(empty);
    return;
  }
  const rows = hits.map(({ rank, score, id, caption }) => [
    String(rank),
    score.toFixed(3),
    id,
    caption ?? '',
  ]);
  print(table([['rank', 'score', 'id', 'caption'], ...rows]));
}
