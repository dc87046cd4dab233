import { basename, dirname } from 'node:path';
import { manifestRules } from './columns.ts';
import type { Item, Source, SourceOptions } from './item.ts';
import { manifestRows } from './manifest-rows.ts';
import { Occurrences } from './occurrences.ts';
import { locateFrom } from './picture-path.ts';
import { pushRowItems, type RowItemsOptions } from './row-items.ts';

/**
 * A manifest as a source: one row per picture or caption. `path` is absolute and names a file of `size` bytes.
 * Throws SOURCE_COLUMN_MISSING here, not while reading, if the header lacks what was asked for.
 */
export async function createManifestSource(
  path: string,
  size: number,
  options: SourceOptions,
): Promise<Source> {
  const rules = manifestRules(options);
  await using check = manifestRows(path, rules);
  await check.next();

  const progress = { before: 0, after: 0, share: 0 };
  return {
    uri: path,
    fraction: () => {
      const read = progress.before + (progress.after - progress.before) * progress.share;
      return size === 0 ? progress.share : Math.min(1, read / size);
    },
    async *items(signal) {
      Object.assign(progress, { before: 0, after: 0, share: 0 });
      const reading = createReading(path);
      for await (const { rows, position } of manifestRows(path, rules)) {
        const items: Item[] = [];
        for (const row of rows) pushRowItems(row, reading, items);
        progress.before = progress.after;
        progress.after = position;
        for (const [index, item] of items.entries()) {
          signal?.throwIfAborted();
          progress.share = index / items.length;
          yield item;
        }
        progress.share = 1;
        signal?.throwIfAborted();
      }
      progress.share = 1;
    },
  };
}

function createReading(path: string): RowItemsOptions {
  return {
    file: path,
    name: basename(path),
    locate: locateFrom(dirname(path)),
    pictures: new Occurrences(),
    givenIds: new Occurrences(),
  };
}
