import { basename, dirname, resolve } from 'node:path';
import { manifestRules, SPLIT_COLUMN } from './columns.ts';
import type { Item, Source, SourceOptions } from './item.ts';
import { manifestRows } from './manifest-rows.ts';
import { Occurrences } from './occurrences.ts';
import { locateFrom } from './picture-path.ts';
import { ReadingNotes } from './reading-notes.ts';
import type { AnyRow } from './row.ts';
import { pushRowItems, type RowItemsOptions } from './row-items.ts';
import { tableDialect } from './table-dialect.ts';

/**
 * A manifest as a source: one row per picture or caption. `path` is the uri of a file of `size` bytes. Undefined where
 * nothing says that it is a table. Throws SOURCE_COLUMN_MISSING here, not while reading, if the header lacks what was asked for.
 */
export async function createManifestSource(
  path: string,
  size: number,
  options: SourceOptions,
): Promise<Source | undefined> {
  const rules = manifestRules(options);
  const dialect = await tableDialect(path, rules, options);
  if (dialect === undefined) return undefined;
  await using check = manifestRows(path, rules, dialect);
  await check.next();

  const progress = { before: 0, after: 0, share: 0 };
  let notes = new ReadingNotes();
  return {
    uri: path,
    report: () => notes.report(),
    fraction: () => {
      const read = progress.before + (progress.after - progress.before) * progress.share;
      return size === 0 ? progress.share : Math.min(1, read / size);
    },
    async *items(signal) {
      Object.assign(progress, { before: 0, after: 0, share: 0 });
      notes = new ReadingNotes();
      const reading = createReading(path, notes, options);
      for await (const { rows, position } of manifestRows(path, rules, dialect)) {
        const items: Item[] = [];
        for (const row of rows) {
          if (!isAsked(row, options)) continue;
          if ('meta' in row && row.captions.length === 0) notes.noCaptionIn(row.meta);
          pushRowItems(row, reading, items);
        }
        notes.addCaptions(items.filter(({ kind }) => kind === 'caption').length);
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

/** Broken rows are, whatever was asked for: nobody knows what they were. */
function isAsked(row: AnyRow, { splits }: SourceOptions): boolean {
  return splits === undefined || !('meta' in row) || splits.includes(String(row.meta[SPLIT_COLUMN]));
}

function createReading(path: string, notes: ReadingNotes, { imageFolder }: SourceOptions): RowItemsOptions {
  return {
    file: path,
    name: basename(path),
    locate: locateFrom(imageFolder === undefined ? dirname(path) : resolve(imageFolder)),
    pictures: new Occurrences(),
    givenIds: new Occurrences(),
    byRow: { files: new Occurrences(), notes },
  };
}
