import { folderItems } from './folder-items.ts';
import type { Source, SourceOptions } from './item.ts';
import { createPictureCount } from './picture-count.ts';
import { ReadingNotes } from './reading-notes.ts';

/** A folder of pictures, with all folders below it, as a source. `root` is its uri. */
export function createFolderSource(root: string, options: SourceOptions): Source {
  let fraction: () => number | undefined = () => undefined;
  let notes = new ReadingNotes();
  return {
    uri: root,
    fraction: () => fraction(),
    report: () => notes.report(),
    async *items(signal, before) {
      const count = createPictureCount(root, options);
      notes = new ReadingNotes();
      let passed = 0;
      fraction = () => {
        // The folder may change between the two readings of it.
        return count.total === undefined ? undefined : Math.min(1, passed / Math.max(1, count.total));
      };
      try {
        for await (const batch of folderItems(root, options, notes, before)) {
          for (const [index, item] of batch.items.entries()) {
            signal?.throwIfAborted();
            count.step();
            if (index === 0) passed += batch.passed;
            yield item;
          }
          if (batch.items.length === 0) passed += batch.passed;
        }
        signal?.throwIfAborted();
        fraction = () => 1;
      } finally {
        count.stop();
      }
    },
  };
}
