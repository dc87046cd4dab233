import type { ErrorData } from '#errors.ts';

/** Other columns of a manifest row, or other keys of a sidecar file. */
export type Meta = Readonly<Record<string, unknown>>;

/** One picture to index. */
export interface ImageItem {
  readonly kind: 'image';
  /** Given by the source, or the picture's path relative to the source root with `/` between folders. */
  readonly id: string;
  /** Absolute path of the picture. */
  readonly uri: string;
  readonly meta: Meta;
}

/** One caption to index. */
export interface CaptionItem {
  readonly kind: 'caption';
  /** Given by the source, or the picture's id plus `#n`, n counting from 0 in the order of the source. */
  readonly id: string;
  /** The picture it describes; null for a caption without one. */
  readonly imageId: string | null;
  /** The picture's uri; for a caption without a picture, the file it came from. */
  readonly uri: string;
  readonly caption: string;
  readonly meta: Meta;
}

/** Something the source found and cannot understand: listed as failed, so that nothing is lost in silence. */
export interface BrokenItem {
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
  /** Streams the items in a stable order; memory does not grow with the source but for 16 bytes a picture. */
  items(signal?: AbortSignal): AsyncIterable<Item>;
  /** Part of the source that `items` has read, 0 to 1, for the time left; undefined while it cannot be told. */
  fraction(): number | undefined;
}

/** How to read a source. Every column left out is guessed from the usual names. */
export interface SourceOptions {
  readonly imageColumn?: string | undefined;
  readonly idColumn?: string | undefined;
  readonly captionColumns?: readonly string[] | undefined;
  readonly captionIdColumn?: string | undefined;
}
