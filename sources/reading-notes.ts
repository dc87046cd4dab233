/** Why something that lies in a source is not among its items. */
export type LeftOutReason =
  | 'hidden'
  | 'thumbnails'
  | 'system'
  | 'other_type'
  | 'unreadable'
  | 'linked'
  | 'without_picture'
  | 'blank'
  | 'excluded'
  | 'not_included';

export interface LeftOut {
  readonly count: number;
  /** The first five, by their paths in the source. */
  readonly first: readonly string[];
}

/** What a reading of a source has passed over: none of it is an item, and none of it goes unsaid. */
export interface ReadingReport {
  /** Only the reasons that were met. */
  readonly leftOut: Readonly<Partial<Record<LeftOutReason, LeftOut>>>;
  /** Columns and keys with texts in tables and sidecars that gave no caption, where the whole source gave none. */
  readonly captionCandidates: readonly string[];
  /** Pictures whose file another id names too, in a table whose one column of ids may be that of the captions. */
  readonly sharedFiles: number;
}

const MAX_NAMED = 5;
const MAX_COLUMNS = 20;

/** Collects what a reading passes over, in memory that does not grow with it. */
export class ReadingNotes {
  readonly #leftOut = new Map<LeftOutReason, { count: number; first: string[] }>();
  readonly #columns = new Set<string>();
  #captions = 0;
  #sharedFiles = 0;

  leaveOut(reason: LeftOutReason, path: string): void {
    const known = this.#leftOut.get(reason) ?? { count: 0, first: [] };
    this.#leftOut.set(reason, known);
    known.count += 1;
    if (known.first.length < MAX_NAMED) known.first.push(path);
  }

  addSharedFile(): void {
    this.#sharedFiles += 1;
  }

  addCaptions(count: number): void {
    this.#captions += count;
  }

  /** Notes the columns of a row, or the keys of a sidecar, that has no caption: one of them may be meant as one. */
  noCaptionIn(meta: Readonly<Record<string, unknown>>): void {
    if (this.#captions > 0 || this.#columns.size >= MAX_COLUMNS) return;
    for (const [name, value] of Object.entries(meta)) {
      if (this.#columns.size < MAX_COLUMNS && mayBeCaption(value)) this.#columns.add(name);
    }
  }

  report(): ReadingReport {
    return {
      leftOut: Object.fromEntries(this.#leftOut),
      captionCandidates: this.#captions > 0 ? [] : [...this.#columns],
      sharedFiles: this.#sharedFiles,
    };
  }
}

/** A text with a letter in it, or a list of such: numbers and dates are something else. */
function mayBeCaption(value: unknown): boolean {
  const one: unknown = Array.isArray(value) ? value[0] : value;
  return typeof one === 'string' && /\p{L}/u.test(one);
}
