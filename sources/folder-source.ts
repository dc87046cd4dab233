import { folderItems } from './folder-items.ts';
import type { Source, SourceOptions } from './item.ts';
import { createPictureCount } from './picture-count.ts';

/** A folder of pictures, with all folders below it, as a source. `root` is absolute. */
export function createFolderSource(root: string, options: SourceOptions): Source {
  let fraction: () => number | undefined = () => undefined;
  return {
    uri: root,
    fraction: () => fraction(),
    async *items(signal) {
      const count = createPictureCount(root);
      let given = 0;
      fraction = () => {
        // The folder may change between the two readings of it, and metadata may name pictures that are not there.
        return count.total === undefined ? undefined : Math.min(1, given / Math.max(1, count.total));
      };
      try {
        for await (const items of folderItems(root, options)) {
          for (const item of items) {
            signal?.throwIfAborted();
            count.step();
            if (item.kind === 'image') given++;
            yield item;
          }
        }
        signal?.throwIfAborted();
        fraction = () => 1;
      } finally {
        count.stop();
      }
    },
  };
}
