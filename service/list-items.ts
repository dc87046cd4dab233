import { activeTables } from '#search/active-tables.ts';
import { parseFilter } from '#search/filter/filter.ts';
import type { SearchTarget } from '#search/request.ts';
import type { CaptionRecord, ImageRecord } from '#store/contract.ts';
import type { ItemsOptions } from './contract.ts';
import type { IndexParts } from './index-parts.ts';

/** What a collection stores of one kind, in the store's order. */
export async function* listItems(
  { store }: IndexParts,
  { collection = 'default', in: target = 'images', where }: ItemsOptions = {},
): AsyncGenerator<ImageRecord | CaptionRecord> {
  const tables = await activeTables(store, collection);
  const filter =
    where === undefined ? undefined : parseFilter(where, target === 'images' ? 'image' : 'caption');
  yield* tables[target].scan(filter);
}

export async function countItems(
  { store }: IndexParts,
  collection = 'default',
): Promise<Readonly<Record<SearchTarget, number>>> {
  const { images, captions } = await activeTables(store, collection);
  return { images: await images.count(), captions: await captions.count() };
}
