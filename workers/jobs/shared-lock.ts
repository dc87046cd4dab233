/**
 * Shared by many, or held by one: whoever asks for it exclusively waits until those inside are out, and holds the
 * others back meanwhile.
 */
export class SharedLock {
  #inside = 0;
  /** Settled when nobody holds or asks for it exclusively. */
  #exclusive: Promise<void> = Promise.resolve();
  #empty = Promise.withResolvers<void>();

  async shared<T>(work: () => Promise<T>): Promise<T> {
    for (let exclusive: Promise<void> | undefined; exclusive !== this.#exclusive; ) {
      exclusive = this.#exclusive;
      await exclusive;
    }
    this.#inside += 1;
    try {
      return await work();
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) this.#empty.resolve();
    }
  }

  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#exclusive;
    const turn = Promise.withResolvers<void>();
    this.#exclusive = before.then(() => turn.promise);
    await before;
    try {
      while (this.#inside > 0) {
        this.#empty = Promise.withResolvers<void>();
        await this.#empty.promise;
      }
      return await work();
    } finally {
      turn.resolve();
    }
  }
}
