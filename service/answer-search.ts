import { answerSearch } from '#search/answer-search.ts';
import { parseRequest, type SearchAnswer, type SearchRequest, searchRequestSchema } from '#search/request.ts';
import type { SearchOptions } from './contract.ts';
import { chooseGeneration } from './generations.ts';
import type { IndexParts } from './index-parts.ts';

/** Searches by the generation that serves the collection. */
export async function answerSearchRequest(
  { store, generations, settings }: IndexParts,
  asked: SearchRequest,
  { signal, onUnread, generation }: SearchOptions = {},
): Promise<SearchAnswer> {
  const request = parseRequest(searchRequestSchema, asked, 'search');
  signal?.throwIfAborted();
  const record = await chooseGeneration(store, request.collection, generation);
  return generations.use(record, async (loaded) => {
    // A model in another place is proven even where it is not needed.
    if (settings.model !== undefined) await loaded.model();
    return answerSearch(loaded.tables, request, {
      encoder: loaded.encoder,
      crossEncoder: loaded.crossEncoder,
      calibration: ({ fingerprint = record.fingerprint }) => store.calibrations.find(fingerprint),
      scorers: isResident() ? await loaded.scorers() : undefined,
      warn: ({ id }, reason) => onUnread?.(id, reason),
      signal,
      sharesRuns: settings.compute === 'pools',
    });
  });

  /** For one question all vectors have to be read either way, unless a GPU was named. */
  function isResident(): boolean {
    return settings.compute === 'pools' || settings.device === 'webgpu' || settings.device.startsWith('cuda');
  }
}
