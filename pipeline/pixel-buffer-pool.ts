/** Shared memory for the pixels of batches, used again and again: as many pieces as are ever in use at once. */
export class PixelBufferPool {
  readonly #bytes: number;
  readonly #free: SharedArrayBuffer[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Lends a piece for as long as the work takes. */
  async use<T>(work: (slab: SharedArrayBuffer) => Promise<T>): Promise<T> {
    const slab = this.#free.pop() ?? new SharedArrayBuffer(this.#bytes);
    try {
      return await work(slab);
    } finally {
      this.#free.push(slab);
    }
  }
}
