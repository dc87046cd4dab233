import { readDirectory } from './directory.ts';
import type { SourceOptions } from './item.ts';
import { createPathFilter } from './path-filter.ts';
import { nameSays } from './picture-name.ts';
import { ReadingNotes } from './reading-notes.ts';
import { isTar } from './tar/tar-name.ts';
import { tarWeight } from './tar/tar-weight.ts';

/** Folders listed per step, so that the count runs ahead of the items even where each folder has one picture. */
const FOLDERS_PER_STEP = 16;

/** Counts what is or may be a picture below a folder, a tar as what it may hold, a step at a time; folders behind links are not among it. */
export interface PictureCount {
  /** The number of pictures, once all are counted. */
  readonly total: number | undefined;
  /**
   * Goes on counting for a moment, unless a step is under way. Called as items are pulled: a count with a life of
   * its own would go on when nobody reads any more, and keep the process alive.
   */
  step(): void;
  stop(): void;
}

export function createPictureCount(root: string, options: SourceOptions = {}): PictureCount {
  const filter = createPathFilter(options);
  const folders = [{ uri: root, prefix: '' }];
  let count = 0;
  let running = false;
  let stopped = false;

  const run = async () => {
    for (let listed = 0; listed < FOLDERS_PER_STEP && !stopped; listed++) {
      const folder = folders.pop();
      if (folder === undefined) break;
      // What cannot be listed has no pictures here, and what is left out is noted elsewhere: the items report both.
      const { entries } = await readDirectory(folder.uri, folder.prefix, filter, new ReadingNotes()).catch(
        () => ({
          entries: [],
        }),
      );
      for (const { kind, name, uri } of entries) {
        if (kind === 'directory') folders.push({ uri, prefix: `${folder.prefix}${name}/` });
        else if (isTar(name)) count += await tarWeight(uri);
        else if (nameSays(name) !== 'other') count++;
      }
    }
    running = false;
  };

  return {
    get total() {
      return folders.length === 0 && !running && !stopped ? count : undefined;
    },
    step() {
      if (running || stopped || folders.length === 0) return;
      running = true;
      void run();
    },
    stop() {
      stopped = true;
    },
  };
}
