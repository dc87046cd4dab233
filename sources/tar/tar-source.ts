import { filePath } from '#uri.ts';
import { notDownloadedOf } from '../folder-tables.ts';
import type { Source, SourceOptions } from '../item.ts';
import { ReadingNotes } from '../reading-notes.ts';
import { tarItems } from './tar-items.ts';
import { namesOf } from './tar-list.ts';

/** Some tars, by their uris, as a source; `uri` is what names them together. */
export function createTarSource(uri: string, tars: readonly string[], options: SourceOptions): Source {
  const names = namesOf(tars.map((tar) => String(filePath(tar))));
  const progress = { tars: 0, share: 0 };
  let notes = new ReadingNotes();
  return {
    uri,
    places: tars,
    report: () => notes.report(),
    fraction: () => Math.min(1, (progress.tars + progress.share) / tars.length),
    async *items(signal) {
      notes = new ReadingNotes();
      for (const [index, tar] of tars.entries()) {
        Object.assign(progress, { tars: index, share: 0 });
        const name = names[index] ?? '';
        for await (const { items, share } of tarItems(tar, name, options, notes)) {
          for (const item of items) {
            signal?.throwIfAborted();
            yield item;
          }
          progress.share = share;
        }
        for await (const { items } of notDownloadedOf(tar, name)) yield* items;
        signal?.throwIfAborted();
      }
      Object.assign(progress, { tars: tars.length, share: 0 });
    },
  };
}
