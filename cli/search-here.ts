import type { Config } from '#config/options.ts';
import { type Device, type DeviceName, resolveDevice } from '#devices/device.ts';
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import { openLocalQuery } from '#search/local-query.ts';
import { embedQuery, type Query } from '#search/query.ts';
import type { SearchDeps } from '#search/ranking/build-ranking.ts';
import type { SearchAnswer, SearchRequest } from '#search/request.ts';
import { search } from '#search/search.ts';
import type { GenerationTables } from '#store/contract.ts';
import { noteDevice } from './note-device.ts';
import { note } from './output.ts';
import { Owned } from './owned.ts';

export interface SearchPlace
  extends Config<'device' | 'maxPixels' | 'maxImageBytes' | 'decodeTimeout' | 'decodeMemory'> {
  readonly modelPath: string | undefined;
}

/** Searches in this process: the model is loaded for this one query. */
export async function searchHere(
  tables: GenerationTables,
  query: Query,
  request: SearchRequest,
  { modelPath, device: asked, ...limits }: SearchPlace,
): Promise<SearchAnswer> {
  const device = await resolveDevice(asked);
  if (device.provider !== 'cpu') noteDevice(asked, device);
  const { maxPixels, maxImageBytes, decodeTimeout: timeoutSeconds, decodeMemory: memoryMiB } = limits;
  const options = { modelPath, provider: device.provider, maxPixels, timeoutSeconds, memoryMiB };
  await using stack = new Owned();
  const means = scoringMeans(stack, tables, asked, device);
  if (request.rerank === undefined) {
    return await search(tables, await embedQuery(tables, query, options), request, means);
  }
  const kind = request.in === 'images' ? 'image' : 'caption';
  const local = stack.use(
    await openLocalQuery(tables, query, kind, {
      ...options,
      maxImageBytes,
      warn: ({ id }, { message }) => note(`Not read again: ${id}. ${message}`),
    }),
  );
  return await search(tables, local.vector, request, { ...means, rerank: local.rerank });
}

/**
 * The vectors go to a GPU that was named. Else they are compared as they are read: for one query that is as fast, since
 * all of them have to be read either way.
 */
function scoringMeans(
  stack: Owned,
  { record, images, captions }: GenerationTables,
  asked: DeviceName,
  device: Device,
): SearchDeps {
  if (asked === 'auto' || device.provider === 'cpu') return {};
  const options = { device, dimensions: record.dimensions };
  return {
    scorers: {
      images: stack.use(createResidentScorer(images, options)),
      captions: stack.use(createResidentScorer(captions, options)),
    },
  };
}
