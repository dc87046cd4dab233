/** Keys by their first 64 bits: 8 bytes a key, for tables of millions. Of ten million keys two agree by chance in one of 10^5 indexes. */
export class KeySet {
  #values = new BigUint64Array(1024);
  #size = 0;
  #isSorted = true;

  add(key: string): void {
    if (this.#size === this.#values.length) {
      const larger = new BigUint64Array(2 * this.#size);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#size++] = prefixOf(key);
    this.#isSorted = false;
  }

  has(key: string): boolean {
    const values = this.#sorted();
    const wanted = prefixOf(key);
    let [low, high] = [0, values.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((values[middle] as bigint) < wanted) low = middle + 1;
      else high = middle;
    }
    return values[low] === wanted;
  }

  /** The keys that were added more than once. */
  repeated(): KeySet {
    const values = this.#sorted();
    const found = new KeySet();
    for (let i = 1; i < values.length; i++) if (values[i] === values[i - 1]) found.#push(values[i] as bigint);
    return found;
  }

  get size(): number {
    return this.#size;
  }

  #push(value: bigint): void {
    this.add(Buffer.from(value.toString(16).padStart(16, '0'), 'hex').toString('base64url'));
  }

  #sorted(): BigUint64Array {
    const values = this.#values.subarray(0, this.#size);
    if (!this.#isSorted) values.sort();
    this.#isSorted = true;
    return values;
  }
}

function prefixOf(key: string): bigint {
  const bytes = Buffer.alloc(8);
  bytes.write(key.slice(0, 11), 'base64url');
  return bytes.readBigUInt64BE();
}
