import type { Item, SourceOptions } from './item.ts';
import type { LinkedFolders } from './linked-folders.ts';
import type { Occurrences } from './occurrences.ts';
import type { PathFilter } from './path-filter.ts';
import type { ReadBefore } from './read-before.ts';
import type { ReadingNotes } from './reading-notes.ts';

/** A folder that is being read. */
export interface Place {
  /** Its uri as the source names it. */
  readonly folder: string;
  /** The folder relative to the root, empty or ending with `/`. */
  readonly prefix: string;
  /** Where it really is. */
  readonly real: string;
  /** Whether a link led here. */
  readonly isLinked: boolean;
}

/** What one reading of a folder knows. */
export interface FolderReading {
  readonly options: SourceOptions;
  readonly notes: ReadingNotes;
  readonly filter: PathFilter;
  readonly links: LinkedFolders;
  readonly before: ReadBefore | undefined;
  /** Pictures that metadata rows named, by id. */
  readonly pictures: Occurrences;
  readonly givenIds: Occurrences;
}

export interface FolderBatch {
  readonly items: readonly Item[];
  /** Files passed by that are or may have been pictures, for the part that is read. */
  readonly passed: number;
}
