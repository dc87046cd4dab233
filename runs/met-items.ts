import type { Item } from '#sources/item.ts';
import { Occurrences } from '#sources/occurrences.ts';
import { itemKey } from '#store/item-key.ts';

/**
 * What a pass over a source has met, in 16 to 32 bytes an item. Of two keys with one hash of 64 bits the second counts as met
 * too, so that nothing is taken out by mistake.
 */
export class MetItems {
  readonly #source: string;
  readonly #keys = new Occurrences();
  #seen = 0;
  #rows = 0;
  #unread: string | undefined;

  constructor(source: string) {
    this.#source = source;
  }

  /** Items that the source gave. */
  get seen(): number {
    return this.#seen;
  }

  /** Rows and descriptions that could not be understood: what they name may be listed all the same. */
  get rows(): number {
    return this.#rows;
  }

  /** The first folder or file that could not be read: nobody knows what it lists. */
  get unread(): string | undefined {
    return this.#unread;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** The items of the source as they come. */
  async *watch(items: AsyncIterable<Item>): AsyncGenerator<Item> {
    for await (const item of items) {
      this.#seen += 1;
      this.#add(item);
      yield item;
    }
  }

  #add({ kind, id, source = this.#source, ...item }: Item): void {
    this.#keys.add(itemKey(source, kind, id));
    if (kind !== 'broken' || !('error' in item)) return;
    // What cannot be used now is no longer what is stored under its id, but it is there.
    for (const stored of ['image', 'caption'] as const) this.#keys.add(itemKey(source, stored, id));
    if (item.error.code === 'SOURCE_ROW_INVALID') this.#rows += 1;
    // It is listed, and never was more than that.
    else if (item.error.code !== 'ITEM_NOT_DOWNLOADED') this.#unread ??= id;
  }
}
