/** What is stored of the pictures of a source: files that have not changed since need not be read. */
export interface ReadBefore {
  /** Those of these ids that are there. */
  find(ids: readonly string[]): Promise<ReadonlyMap<string, PictureBefore>>;
}

export interface PictureBefore {
  /** `fileStamp` of the picture when it was read. */
  readonly stamp: string | null;
  /** `toDescribed` of the files beside it. */
  readonly described: string | null;
  readonly meta: Readonly<Record<string, unknown>>;
  /** All captions that these files gave, in order; empty where one of them is not stored any more. */
  readonly captions: readonly string[];
}
