import { VlmoError } from '#errors.ts';
import { pictureValues } from '#model/config.ts';
import type { QueryJob } from '#queue/job.ts';
import { activeTables } from '#search/active-tables.ts';
import { embedQuery } from '#search/query.ts';
import { search } from '#search/search.ts';
import type { Store } from '#store/contract.ts';
import type { LoadedGeneration, LoadedGenerations } from './loaded-generations.ts';
import type { QueryAnswer } from './protocol.ts';

/**
 * Answers a search or embeds, by the generation that serves the collection, ahead of all bulk work that waits for the
 * same threads. Throws COLLECTION_NOT_FOUND, FILTER_INVALID, SEARCH_ITEM_NOT_FOUND, and what reading a picture throws.
 */
export async function answerQuery(
  store: Store,
  generations: LoadedGenerations,
  query: QueryJob,
): Promise<QueryAnswer> {
  const tables = await activeTables(store, query.collection);
  const embed = (loaded: LoadedGeneration, input: Input): Promise<Float32Array> =>
    input.image === undefined ? embedTexts(loaded, input.texts ?? []) : embedPicture(loaded, input.image);
  if (query.kind === 'embed') {
    const data = await generations.use(tables.record, (loaded) => embed(loaded, query));
    return { embeddings: toRows(data, tables.record.dimensions) };
  }
  const { id, text, image, in: target, k, where, minScore } = query;
  const vector =
    id === undefined
      ? await generations.use(tables.record, (loaded) =>
          embed(loaded, image === undefined ? { texts: [text ?? ''] } : { image }),
        )
      : await embedQuery(tables, { kind: 'id', id }, { maxPixels: 0 });
  return { hits: await search(tables, vector, { in: target, k, where, minScore }) };
}

interface Input {
  readonly texts?: readonly string[] | undefined;
  readonly image?: string | undefined;
}

function embedTexts({ pools }: LoadedGeneration, texts: readonly string[]): Promise<Float32Array> {
  return pools.inference.runUrgent({ kind: 'texts', texts });
}

async function embedPicture({ model, pools }: LoadedGeneration, uri: string): Promise<Float32Array> {
  const pixels = new SharedArrayBuffer(pictureValues(model.config) * Float32Array.BYTES_PER_ELEMENT);
  const picture = { uri, storedSha256: null, failedSha256: null };
  const [outcome] = await pools.preprocess.runUrgent({ pixels, firstSlot: 0, pictures: [picture] });
  if (outcome?.kind === 'failed') throw new VlmoError(outcome.error.code, outcome.error.message);
  if (outcome?.kind !== 'ready') throw new Error(`No pixels of "${uri}": this is a bug`);
  return pools.inference.runUrgent({ kind: 'images', pixels, count: 1 });
}

function toRows(data: Float32Array, width: number): number[][] {
  return Array.from({ length: data.length / width }, (_, i) => [
    ...data.subarray(i * width, (i + 1) * width),
  ]);
}
