import type { Item } from '#sources/item.ts';
import type { FailureRecord, Store } from '#store/contract.ts';
import { pictureKey } from '#store/item-key.ts';

/** Captions that are listed as failed, by the keys of the pictures that they describe; memory grows with them. */
export async function failedCaptions(
  store: Store,
  collection: string,
): Promise<Map<string, FailureRecord[]>> {
  const found = new Map<string, FailureRecord[]>();
  for await (const failure of store.failures.scan(collection)) {
    if (failure.kind !== 'caption' || failure.item === null) continue;
    const item = JSON.parse(failure.item) as Item;
    if (item.kind !== 'caption') continue;
    const key = pictureKey({ imageId: item.imageId, imageSource: item.imageSource ?? failure.source });
    if (key !== null) found.set(key, [...(found.get(key) ?? []), failure]);
  }
  return found;
}
