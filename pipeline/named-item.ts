import type { Item } from '#sources/item.ts';
import { itemKey } from '#store/item-key.ts';

/** An item and what the index knows it by. */
export interface Named<I extends Item = Item> {
  readonly item: I;
  readonly source: string;
  /** `itemKey` of source, kind and id. */
  readonly key: string;
}

export function named<I extends Item>(item: I, source: string): Named<I> {
  return { item, source, key: itemKey(source, item.kind, item.id) };
}
