import type { Filter, GenerationTables } from '#store/contract.ts';
import { pictureKey, toPlaceText } from '#store/item-key.ts';

/** The pictures and captions that are evaluated: which captions are right for which picture. */
export interface Split {
  readonly tables: GenerationTables;
  readonly where: SplitFilter;
  /** Number of each picture, by its place as a text; also of each caption, that of its picture. */
  readonly pictures: ReadonlyMap<string, number>;
  readonly captions: ReadonlyMap<string, number>;
  /** How many captions each picture has. */
  readonly captionCounts: Uint32Array;
  /** Captions that are of no picture, which ask nothing and are found by nobody's picture. */
  readonly alone: number;
  /** Pictures that captions are of and that are not there: their ids, by their keys. */
  readonly missing: ReadonlyMap<string, string>;
}

/** The same words for either kind of row. */
export interface SplitFilter {
  readonly images: Filter | undefined;
  readonly captions: Filter | undefined;
}

/** Reads ids alone: memory grows by some 200 bytes an item, and no vector is held. */
export async function readSplit(tables: GenerationTables, where: SplitFilter): Promise<Split> {
  const numbers = new Map<string, number>();
  const pictures = new Map<string, number>();
  for await (const row of tables.images.scan(where.images)) {
    numbers.set(row.key, pictures.size);
    pictures.set(toPlaceText(row), pictures.size);
  }
  const captions = new Map<string, number>();
  const captionCounts = new Uint32Array(pictures.size);
  const missing = new Map<string, string>();
  let alone = 0;
  for await (const row of tables.captions.scan(where.captions)) {
    const key = pictureKey(row);
    const picture = key === null ? undefined : numbers.get(key);
    if (key === null) alone += 1;
    else if (picture === undefined) missing.set(key, row.imageId ?? '');
    else {
      captions.set(toPlaceText(row), picture);
      captionCounts[picture] = (captionCounts[picture] ?? 0) + 1;
    }
  }
  return {
    ...{ tables, where, pictures, captions, captionCounts, alone, missing },
  };
}
