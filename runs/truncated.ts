import type { Truncated } from '#store/contract.ts';

const MAX_NAMED = 5;

/** Counts texts that are cut, and names the first of them. */
export class TruncatedCount implements Truncated {
  count = 0;
  readonly first: string[] = [];

  add(id: string): void {
    if (this.count++ < MAX_NAMED) this.first.push(id);
  }
}
