/** Texts that the model reads the beginnings of only. */
export interface Truncated {
  readonly count: number;
  /** Ids of the first five. */
  readonly first: readonly string[];
}

const MAX_NAMED = 5;

/** Counts texts that are cut, and names the first of them. */
export class TruncatedCount implements Truncated {
  count = 0;
  readonly first: string[] = [];

  add(id: string): void {
    if (this.count++ < MAX_NAMED) this.first.push(id);
  }
}
