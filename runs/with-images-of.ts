import type { Item } from '#sources/item.ts';

/** Items whose captions, where they name a picture by its id alone, mean that of the source of this name. */
export async function* withImagesOf(
  items: AsyncIterable<Item>,
  source: string | undefined,
): AsyncGenerator<Item> {
  for await (const item of items) {
    const isOpen = source !== undefined && item.kind === 'caption' && item.imageSource === null;
    yield isOpen ? { ...item, imageSource: source } : item;
  }
}
