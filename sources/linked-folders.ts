import { realpath } from 'node:fs/promises';
import { filePath, uriOf } from '#uri.ts';
import { Occurrences } from './occurrences.ts';
import type { PathFilter } from './path-filter.ts';

/**
 * Decides which folders are read where links lead to folders, so that each is read once and rings end. What lies in the
 * source is read at its own place, whoever links to it; what lies elsewhere at the first link that leads there.
 */
export class LinkedFolders {
  readonly #root: string;
  readonly #filter: PathFilter;
  /** Real places of folders outside that were read. */
  readonly #read = new Occurrences();

  private constructor(root: string, filter: PathFilter) {
    this.#root = root;
    this.#filter = filter;
  }

  static async open(root: string, filter: PathFilter): Promise<LinkedFolders> {
    return new LinkedFolders(await realUri(root), filter);
  }

  /** Where the root of the source really is. */
  get root(): string {
    return this.#root;
  }

  /** Whether the folder at this real place is to be read now, reached by a link or below one. */
  take(real: string): boolean {
    return !this.#isReadAtHome(real) && this.#read.add(real);
  }

  #isReadAtHome(real: string): boolean {
    if (real === this.#root) return true;
    const base = this.#root.endsWith('/') ? this.#root : `${this.#root}/`;
    if (!real.startsWith(base)) return false;
    const parts = real.slice(base.length).split('/');
    const folders = parts.map((_, count) => parts.slice(0, count + 1).join('/'));
    return folders.every((folder) => this.#filter.folder(folder) === undefined);
  }
}

/** The place of a file or folder without links on the way. Throws what realpath throws. */
export async function realUri(uri: string): Promise<string> {
  return uriOf(await realpath(filePath(uri), { encoding: 'buffer' }));
}

/** Whether a file really lies in a folder or below it, `folder` being a real place; false where it is not there. */
export async function isInside(uri: string, folder: string): Promise<boolean> {
  const real = await realUri(uri).catch(() => undefined);
  return real?.startsWith(folder.endsWith('/') ? folder : `${folder}/`) === true;
}
