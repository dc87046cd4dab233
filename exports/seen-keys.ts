/** Which keys have come up, of at most so many: 64 of the bits that they are made of, 11 to 22 bytes each. */
export class SeenKeys {
  readonly #slots: BigUint64Array;

  constructor(most: number) {
    this.#slots = new BigUint64Array(2 ** Math.ceil(Math.log2(Math.max(8, most * 1.4))));
  }

  /** Whether it is new. */
  add(key: string): boolean {
    // 0 is an empty slot.
    const digest = Buffer.from(key, 'base64url').readBigUInt64LE() | 1n;
    const mask = this.#slots.length - 1;
    let at = Number(digest >> 32n) & mask;
    for (;;) {
      const found = this.#slots[at];
      if (found === digest) return false;
      if (found === 0n) {
        this.#slots[at] = digest;
        return true;
      }
      at = (at + 1) & mask;
    }
  }
}
