import type { DirectoryEntry } from './directory.ts';
import type { PictureBefore, ReadBefore } from './read-before.ts';

/** Entries of which is asked at a time what is stored: a question costs some milliseconds, whatever it is about. */
const ASKED_AT_ONCE = 512;

/** What is stored of the entries of a folder, asked ahead of their reading. */
export class KnownEntries {
  readonly #before: ReadBefore | undefined;
  readonly #prefix: string;
  readonly #entries: readonly DirectoryEntry[];
  #askedTo = 0;
  #found: ReadonlyMap<string, PictureBefore> = new Map();

  constructor(before: ReadBefore | undefined, prefix: string, entries: readonly DirectoryEntry[]) {
    this.#before = before;
    this.#prefix = prefix;
    this.#entries = entries;
  }

  /** Makes `of` know what is stored of so many entries from a place on. */
  async ask(from: number, count: number): Promise<void> {
    const last = Math.min(from + count, this.#entries.length);
    if (!this.#before || last <= this.#askedTo) return;
    const some = this.#entries.slice(from, from + ASKED_AT_ONCE);
    const ids = some.filter(({ kind }) => kind !== 'directory').map(({ name }) => this.#prefix + name);
    this.#found = ids.length > 0 ? await this.#before.find(ids) : new Map();
    this.#askedTo = from + some.length;
  }

  of({ name }: DirectoryEntry): PictureBefore | undefined {
    return this.#found.get(this.#prefix + name);
  }
}
