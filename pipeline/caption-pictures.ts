import type { BrokenItem, CaptionItem } from '#sources/item.ts';
import type { ImageRecord, RowReader } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import { itemKey } from '#store/item-key.ts';
import { type Named, named } from './named-item.ts';

/** An item, and for a caption the source of its picture. */
export interface Placed {
  readonly named: Named;
  readonly imageSource: string | null;
}

/**
 * Says which picture each caption describes. One that is named by its id alone is of the caption's own source or, where
 * that lacks it, of the one other source that has it; where several have it, the caption is refused. `images` is undefined
 * where none are stored.
 */
export async function placeCaptions(
  items: readonly Named[],
  images: RowReader<ImageRecord> | undefined,
): Promise<Placed[]> {
  const open = items.filter(isOpen);
  const found = open.length > 0 && images ? await findPictures(items, open, images) : NOTHING;
  return items.map((one) => {
    const { item, source } = one;
    if (item.kind !== 'caption' || item.imageId === null) return { named: one, imageSource: null };
    if (item.imageSource !== null) return { named: one, imageSource: item.imageSource ?? source };
    const others = found.own.has(ownKey(item.imageId, source)) ? [] : (found.sources.get(item.imageId) ?? []);
    if (others.length > 1) return { named: named(refused(item, others), source), imageSource: null };
    return { named: one, imageSource: others[0] ?? source };
  });
}

function isOpen({ item }: Named): boolean {
  return item.kind === 'caption' && item.imageId !== null && item.imageSource === null;
}

interface Pictures {
  /** Keys of those that the captions' own sources have. */
  readonly own: ReadonlySet<string>;
  /** By the id of a picture, the sources that have one of that id. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
}

const NOTHING: Pictures = { own: new Set(), sources: new Map() };

async function findPictures(
  items: readonly Named[],
  open: readonly Named[],
  images: RowReader<ImageRecord>,
): Promise<Pictures> {
  const ids = [...new Set(open.map(({ item }) => ('imageId' in item ? (item.imageId ?? '') : '')))];
  const own = new Set(items.filter(({ item }) => item.kind === 'image').map(({ key }) => key));
  const sources = new Map<string, string[]>();
  for await (const { key, id, source } of images.scan(anyOf('id', ids))) {
    own.add(key);
    sources.set(id, [...(sources.get(id) ?? []), source]);
  }
  return { own, sources };
}

function ownKey(id: string, source: string): string {
  return itemKey(source, 'image', id);
}

function refused(item: CaptionItem, sources: readonly string[]): BrokenItem {
  const names = sources.toSorted().map((name) => `"${name}"`);
  const message = `Cannot tell which picture caption "${item.id}" describes: expected the id "${item.imageId}" in one source, received it in ${names.length} (${names.join(', ')}); name one of them with --images-of`;
  const { id, uri, source } = item;
  return { kind: 'broken', id, uri, source, error: { code: 'SOURCE_ROW_INVALID', message } };
}
