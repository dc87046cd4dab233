/** Picture columns without the vector. */
export interface ImageRecord {
  /** `itemKey` of source, kind and id. */
  readonly key: string;
  /** Name of the source that it came from. */
  readonly source: string;
  /** Unique in its source. */
  readonly id: string;
  readonly uri: string;
  readonly width: number;
  readonly height: number;
  /** Size of the encoded file in bytes. */
  readonly bytes: number;
  /** Hex digest of the encoded file: the picture's content for resume. */
  readonly sha256: string;
  readonly format: string;
  /** What the file was known by when it was read, its content unchanged as long as this is; null where that is not known. */
  readonly stamp: string | null;
  /** The same of the files beside it that `meta` and captions came from; null where there are none. */
  readonly described: string | null;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly indexedAt: Date;
  readonly run: string;
}

/** Caption columns without the vector. */
export interface CaptionRecord {
  /** `itemKey` of source, kind and id. */
  readonly key: string;
  /** Name of the source that it came from. */
  readonly source: string;
  /** Unique in its source. */
  readonly id: string;
  readonly uri: string;
  /** Source and id of the picture that it describes; both null for a caption without one. */
  readonly imageSource: string | null;
  readonly imageId: string | null;
  /** The text: its own content for resume. */
  readonly caption: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly indexedAt: Date;
  readonly run: string;
}

export type ItemKind = 'image' | 'caption';
