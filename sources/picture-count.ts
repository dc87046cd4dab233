import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isPictureName } from './picture-name.ts';

/** Folders listed per step, so that the count runs ahead of the items even where each folder has one picture. */
const FOLDERS_PER_STEP = 16;

/** Counts the pictures below a folder a step at a time. */
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

export function createPictureCount(root: string): PictureCount {
  const folders = [root];
  let count = 0;
  let running = false;
  let stopped = false;

  const run = async () => {
    for (let listed = 0; listed < FOLDERS_PER_STEP && !stopped; listed++) {
      const folder = folders.pop();
      if (folder === undefined) break;
      // A folder that cannot be listed has no pictures here; the items report it.
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        if (entry.name.startsWith('.')) continue;
        if (entry.isDirectory()) folders.push(join(folder, entry.name));
        else if (isPictureName(entry.name)) count++;
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
