import { access } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { Occurrences } from '#sources/occurrences.ts';
import type { ImageRecord, Store, VectorTable } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import { placesOf } from './list-sources.ts';

/** Another source that has pictures of the same content. */
export interface SameContent {
  readonly source: string;
  /** How many of its pictures. */
  readonly pictures: number;
  /** Whether it looks as if it had been moved: its place is gone, and most of its pictures are here with their ids. */
  readonly isMoved: boolean;
  /** Whether it was read from the very place of this one, under another name. */
  readonly isSamePlace: boolean;
}

/** The sources that have pictures with the content of pictures of this one, in 32 to 64 bytes a picture of it and two passes over the table. */
export async function sameContent(
  store: Store,
  collection: string,
  images: Pick<VectorTable<ImageRecord>, 'countBySource' | 'scanTexts'>,
  source: string,
): Promise<SameContent[]> {
  const totals = await images.countBySource();
  if (!totals.has(source) || totals.size < 2) return [];
  const own = new Occurrences();
  const named = new Occurrences();
  for await (const rows of images.scanTexts(['id', 'sha256'], anyOf('source', [source])))
    for (const { id, sha256 } of rows) {
      own.add(sha256);
      named.add(`${sha256} ${id}`);
    }
  const counts = new Map<string, { same: number; withId: number }>();
  const others = { kind: 'not', part: anyOf('source', [source]) } as const;
  for await (const rows of images.scanTexts(['source', 'id', 'sha256'], others))
    for (const row of rows) {
      if (!own.has(row.sha256)) continue;
      const count = counts.get(row.source) ?? { same: 0, withId: 0 };
      counts.set(row.source, count);
      count.same += 1;
      if (named.has(`${row.sha256} ${row.id}`)) count.withId += 1;
    }
  const places = await placesOf(store, collection);
  const found = Array.from(counts, async ([other, { same, withId }]): Promise<SameContent> => {
    const isMost = withId * 2 > (totals.get(other) ?? 0);
    const place = places.get(other);
    const isSamePlace = place !== undefined && place === places.get(source);
    return { source: other, pictures: same, isMoved: isMost && (await isGone(place)), isSamePlace };
  });
  return (await Promise.all(found)).sort((a, b) => b.pictures - a.pictures || (a.source < b.source ? -1 : 1));
}

async function isGone(place: string | undefined): Promise<boolean> {
  if (place === undefined || !isAbsolute(place)) return false;
  return access(place).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT' || error.code === 'ENOTDIR',
  );
}
