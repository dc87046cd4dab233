import { parseDescribed } from '#sources/described.ts';
import type { ImageItem } from '#sources/item.ts';
import type { PictureBefore, ReadBefore } from '#sources/read-before.ts';
import type { GenerationTables, Store } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import { itemKey } from '#store/item-key.ts';

/** What a generation has of a source, for reading it again; undefined where that is nothing. */
export async function readBefore(
  store: Store,
  { images, captions, record }: GenerationTables,
  source: string,
): Promise<ReadBefore | undefined> {
  if ((await images.count(anyOf('source', [source]))) === 0) return undefined;
  return {
    async find(ids) {
      const keys = new Map(ids.map((id) => [itemKey(source, 'image', id), id]));
      const found = new Map<string, Omit<PictureBefore, 'captions'>>(
        Array.from(await images.find([...keys.keys()]), ([key, row]) => [keys.get(key) ?? '', row]),
      );
      const missing = [...keys].filter(([, id]) => !found.has(id)).map(([key]) => key);
      const failed = missing.length > 0 ? await store.failures.find(record.collection, missing) : [];
      for (const { id, kind, item, stamp } of failed) {
        if (kind !== 'image' || item === null) continue;
        const { meta, described = null } = JSON.parse(item) as ImageItem;
        found.set(id, { stamp, described, meta });
      }
      return withCaptions(found);
    },
  };

  async function withCaptions(
    pictures: ReadonlyMap<string, Omit<PictureBefore, 'captions'>>,
  ): Promise<Map<string, PictureBefore>> {
    const wanted = new Map<string, string[]>();
    for (const [id, { described }] of pictures) {
      const count = described === null ? 0 : parseDescribed(described).captions;
      const own = Array.from({ length: count }, (_, n) => itemKey(source, 'caption', `${id}#${n}`));
      wanted.set(id, own);
    }
    const stored = await captions.find([...wanted.values()].flat());
    return new Map(
      Array.from(pictures, ([id, { stamp, described, meta }]) => {
        const texts = (wanted.get(id) ?? []).map((key) => stored.get(key)?.caption);
        const isWhole = texts.every((text) => text !== undefined);
        return [id, { stamp, described, meta, captions: isWhole ? (texts as string[]) : [] }];
      }),
    );
  }
}
