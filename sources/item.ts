import type { ErrorData } from '#errors.ts';
import type { ReadBefore } from './read-before.ts';
import type { ReadingReport } from './reading-notes.ts';

/** Other columns of a manifest row, or other keys of a sidecar file. */
export type Meta = Readonly<Record<string, unknown>>;

interface OfSource {
  /** Name of the source that it came from, where that is not the one that is being read. */
  readonly source?: string | undefined;
}

/** One picture to index. */
export interface ImageItem extends OfSource {
  readonly kind: 'image';
  /** Given by the source, or the picture's path relative to the source root with `/` between folders. */
  readonly id: string;
  /** Absolute path of the picture, or its URL. */
  readonly uri: string;
  readonly meta: Meta;
  /** What the files beside it are known by that `meta` and captions came from; left out where there are none. */
  readonly described?: string | undefined;
}

/** One caption to index. */
export interface CaptionItem extends OfSource {
  readonly kind: 'caption';
  /** Given by the source, or the picture's id plus `#n`, n counting from 0 in the order of the source. */
  readonly id: string;
  /** The picture it describes; null for a caption without one. */
  readonly imageId: string | null;
  /**
   * Name of the picture's source; left out, the caption's own; null where the picture is named by its id alone, and is of
   * its own source or, where that lacks it, of the one other that has it.
   */
  readonly imageSource?: string | null | undefined;
  /** The picture's uri; for a caption without a picture, the file it came from. */
  readonly uri: string;
  readonly caption: string;
  readonly meta: Meta;
}

/** Something the source found and cannot understand: listed as failed, so that nothing is lost in silence. */
export interface BrokenItem extends OfSource {
  readonly kind: 'broken';
  readonly id: string;
  readonly uri: string;
  readonly error: ErrorData;
}

export type Item = ImageItem | CaptionItem | BrokenItem;

/** A stream of items, read once. */
export interface Source {
  /** The source as the user named it, made absolute. */
  readonly uri: string;
  /** What it consists of, where its uri names several places. */
  readonly places?: readonly string[];
  /**
   * Streams the items in a stable order; memory does not grow with the source but for 16 bytes a picture. Files that have not
   * changed since what is stored was read, which `before` tells, need not be read.
   */
  items(signal?: AbortSignal, before?: ReadBefore): AsyncIterable<Item>;
  /** Part of the source that `items` has read, 0 to 1, for the time left; undefined while it cannot be told. */
  fraction(): number | undefined;
  /** What the last reading has passed over so far; left out where nothing can be. */
  report?(): ReadingReport;
}

/** How the rows of a table are written. */
export type TableFormat = 'csv' | 'tsv' | 'jsonl' | 'json' | 'parquet' | 'arrow';

/** How to read a source. Every column left out is guessed from the usual names. */
export interface SourceOptions {
  readonly imageColumn?: string | undefined;
  readonly idColumn?: string | undefined;
  readonly captionColumns?: readonly string[] | undefined;
  readonly captionIdColumn?: string | undefined;
  /** How a table is written; left out, as its name ends. */
  readonly format?: TableFormat | undefined;
  /** What divides the cells of a table: one character; left out, the one with which its first line has a known column. */
  readonly delimiter?: string | undefined;
  /** Whether cells may stand in quotes; left out, where anything but tabs divides them. */
  readonly quote?: boolean | undefined;
  /** Only rows of a table whose column `split` has one of these; left out, all. */
  readonly splits?: readonly string[] | undefined;
  /** Folder where the paths of a table's pictures start; left out, that of the table. */
  readonly imageFolder?: string | undefined;
  /** Each line of a text file beside a picture is a caption; left out, the whole file is one. */
  readonly captionLines?: boolean | undefined;
  /** Globs of what is read of a folder, and of what is not. */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}
