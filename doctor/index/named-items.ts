/** Items that something is wrong with: all are counted, the first five named. */
export interface NamedItem {
  readonly collection: string;
  readonly kind: string;
  readonly key: string;
  readonly source: string;
  readonly id: string;
}

const NAMED = 5;

export class NamedItems {
  readonly first: NamedItem[] = [];
  count = 0;

  add({ collection, kind, key, source, id }: NamedItem): void {
    this.count += 1;
    if (this.first.length < NAMED) this.first.push({ collection, kind, key, source, id });
  }

  /** `"a.jpg" (source "/photos"), …`. */
  describe(): string {
    const named = this.first.map(({ id, source }) => `"${id}" (source "${source}")`).join(', ');
    return this.count > this.first.length ? `${named} and ${this.count - this.first.length} more` : named;
  }
}
