/**
 * Lets many through together, or one alone: whoever asks to be alone waits until those inside are out, and holds the
 * others back meanwhile.
 */
export class Gate {
  #inside = 0;
  /** Settled when nobody is or asks to be alone. */
  #alone: Promise<void> = Promise.resolve();
  #empty = Promise.withResolvers<void>();

  async together<T>(work: () => Promise<T>): Promise<T> {
    for (let alone: Promise<void> | undefined; alone !== this.#alone; ) {
      alone = this.#alone;
      await alone;
    }
    this.#inside += 1;
    try {
      return await work();
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) this.#empty.resolve();
    }
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#alone;
    const turn = Promise.withResolvers<void>();
    this.#alone = before.then(() => turn.promise);
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
