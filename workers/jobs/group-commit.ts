import type { ChunkResult, Ledger } from '#store/contract.ts';

/** Writes the results of chunks to the ledger, all that came during one commit in the next one. */
export class GroupCommit {
  readonly #ledger: Ledger;
  #pending: ChunkResult[] = [];
  #next: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Resolves when the result is committed. Throws STORE_WRITE_FAILED. */
  add(result: ChunkResult): Promise<void> {
    this.#pending.push(result);
    this.#next ??= this.#writing
      .catch(() => undefined)
      .then(() => {
        const results = this.#pending;
        this.#pending = [];
        this.#next = undefined;
        this.#writing = this.#ledger.settle(results);
        return this.#writing;
      });
    return this.#next;
  }
}
