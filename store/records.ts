/** Picture columns without the vector. */
export interface ImageRecord {
  readonly id: string;
  readonly uri: string;
  readonly width: number;
  readonly height: number;
  /** Size of the encoded file in bytes. */
  readonly bytes: number;
  /** Hex digest of the encoded file: the picture's content for resume. */
  readonly sha256: string;
  readonly format: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly indexedAt: Date;
  readonly run: string;
}

/** Caption columns without the vector. */
export interface CaptionRecord {
  readonly id: string;
  readonly uri: string;
  readonly imageId: string | null;
  /** The text: its own content for resume. */
  readonly caption: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly indexedAt: Date;
  readonly run: string;
}

export type ItemKind = 'image' | 'caption';
