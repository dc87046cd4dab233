import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import { VlmoError } from '#errors.ts';
import { placeOf } from '#model/bundled.ts';
import type { SearchAnswer } from '#search/request.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import type { IndexSettings } from '#service/settings.ts';
import type { Call } from './call.ts';
import { noteCutTexts } from './note-cut.ts';
import { noteDevice } from './note-device.ts';
import { note, print, printJson } from './output.ts';
import { hitsTable, nextPageCommand, nothingFits } from './search-output.ts';
import { type AskedQuery, readQuery } from './search-query.ts';

type SearchFlags = CommandConfig<'search'>;

/** `vlmo search`: by text, by picture, by both, or by what is stored under an id. */
export async function runSearch(
  flags: SearchFlags,
  [text]: readonly [string | undefined],
  { origin }: Call<'search'>,
): Promise<void> {
  if (flags.queued) {
    if (origin('device') === 'flag') refuse('--device or --queued', 'both');
    if (origin('model') === 'flag') refuse('--model or --queued', 'both');
    if (origin('reranker') === 'flag') refuse('--reranker or --queued', 'both');
  }
  if (flags.rerank === undefined && origin('reranker') === 'flag')
    refuse('--rerank HITS beside --reranker', 'none');
  const asked = readQuery(text, flags);
  const request = toRequest(asked, flags);
  await using index = await openIndex(flags.index, { ...(await readSettings(flags)), note });
  await noteCutTexts(asked.texts, await modelPathOf(index, flags));
  const onUnread = (id: string, { message }: VlmoError): void => note(`Not read again: ${id}. ${message}`);
  const answer = flags.queued
    ? // Redis and its queues are loaded by those who ask them.
      await (await import('./ask-worker.ts')).askWorker(index, request, flags)
    : await index.search(request, { onUnread });
  if (flags.json) {
    const { hits, cursor, approximate, calibrated } = answer;
    printJson({ query: asked.shown, hits, cursor, approximate, calibrated });
  } else await printAnswer(answer, index, flags);
}

async function modelPathOf(index: OpenIndex, { collection, model }: SearchFlags): Promise<string> {
  return model ?? placeOf(await index.serving(collection));
}

/** Says what computes where that is not the CPU. */
async function readSettings({
  queued,
  device,
  precision,
  model,
  ...limits
}: SearchFlags): Promise<IndexSettings> {
  if (queued) return {};
  const resolved = await resolveDevice(device);
  if (resolved.provider !== 'cpu') noteDevice(device, resolved);
  const { maxPixels, maxImageBytes, decodeTimeout, decodeMemory } = limits;
  const { reranker, rerankerMemory, rerankerCache } = limits;
  const reading = { reranker, rerankerMemory, rerankerCache };
  const decoding = { maxPixels, maxImageBytes, decodeTimeout, decodeMemory };
  return { compute: 'thread', device, precision, model, ...reading, ...decoding };
}

function toRequest({ parts, keywords }: AskedQuery, flags: SearchFlags) {
  const { collection, k, where, minScore, rerank, minMatch, groupBy, cursor, approximate } = flags;
  if (minMatch !== undefined && rerank === undefined) refuse('--rerank HITS beside --min-match', 'none');
  const order = { where, minScore, rerank, minMatch, groupBy, keywords, cursor, approximate };
  return { collection, ...parts, in: flags.in, k, ...order };
}

async function printAnswer(
  { hits, cursor, approximate, calibrated }: SearchAnswer,
  index: OpenIndex,
  flags: SearchFlags,
): Promise<void> {
  if (hits.length > 0) print(hitsTable(hits, { hasMeta: flags.meta, isCalibrated: calibrated }));
  else note(flags.cursor === undefined ? await describeEmpty(index, flags) : 'Nothing is left.');
  if (nothingFits(hits))
    note(`Nothing fits: each ${calibrated ? 'match' : 'raw match'} is less likely than not.`);
  if (approximate) note('Found by the index of the vectors: some hits may be missing.');
  if (cursor !== null) note(`Next page: ${nextPageCommand(process.argv.slice(2), cursor)}`);
}

function refuse(expected: string, received: string): never {
  throw new VlmoError('USAGE_INVALID', `Cannot search: expected ${expected}, received ${received}`);
}

async function describeEmpty(index: OpenIndex, { collection, in: target }: SearchFlags): Promise<string> {
  const count = (await index.counts(collection))[target];
  if (count > 0) return `None of the ${count} ${target} matches.`;
  return `The collection "${collection}" holds no ${target} yet: vlmo index SOURCE --index … adds some.`;
}
