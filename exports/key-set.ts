/** Keys of items by 64 of the bits that they are made of: 8 bytes each, and no two alike among all that anyone has. */
export class KeySet {
  #digests = new BigUint64Array();

  static async of(parts: AsyncIterable<readonly string[]>): Promise<{ keys: KeySet; parts: number }> {
    const set = new KeySet();
    const pieces: BigUint64Array[] = [];
    for await (const keys of parts) pieces.push(BigUint64Array.from(keys, digest));
    const all = new BigUint64Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    set.#digests = all.sort();
    return { keys: set, parts: pieces.length };
  }

  get size(): number {
    return this.#digests.length;
  }

  has(key: string): boolean {
    if (this.size === 0) return false;
    const wanted = digest(key);
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#digests[middle] as bigint) < wanted) low = middle + 1;
      else high = middle;
    }
    return this.#digests[low] === wanted;
  }
}

function digest(key: string): bigint {
  return Buffer.from(key, 'base64url').readBigUInt64LE();
}
