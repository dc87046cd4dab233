import { type Hash64, type HashKey, keyedHash } from './keyed-hash.ts';

/** Words of a slot: two halves of the hash, and the number of occurrences plus one (0: the slot is free). */
const WORDS = 3;
const FIRST_CAPACITY = 1024;

/**
 * Counts per id without holding the ids: an open-addressing table of hashes.
 *
 *     slot i:  | hash high | hash low | count + 1 |   12 bytes, at most three quarters of the slots taken,
 *                                                     so 16 bytes an id when full and 32 just after growing
 *
 * Two ids of one hash would be taken for one. With n ids the probability that any two of them are is n² / 2^65:
 * 3e-8 for a million, 3e-4 for a hundred million. The key is drawn per table, so a manifest cannot be written to
 * collide.
 */
export class Occurrences {
  readonly #key: HashKey;
  readonly #hash: Hash64 = { high: 0, low: 0 };
  #capacity = FIRST_CAPACITY;
  #slots = new Uint32Array(FIRST_CAPACITY * WORDS);
  #size = 0;

  constructor() {
    const [first = 0, second = 0] = crypto.getRandomValues(new Uint32Array(2));
    this.#key = [first, second];
  }

  /** How many ids the table knows. */
  get size(): number {
    return this.#size;
  }

  /** Whether the id was added or counted before. */
  has(id: string): boolean {
    return this.#slots[this.#find(id) + 2] !== 0;
  }

  /** Makes the id known; true if it was not. */
  add(id: string): boolean {
    const slot = this.#find(id);
    if (this.#slots[slot + 2] !== 0) return false;
    this.#take(slot);
    return true;
  }

  /** The number of times this was asked for the id before: 0, 1, 2, … */
  next(id: string): number {
    let slot = this.#find(id);
    if (this.#slots[slot + 2] === 0) slot = this.#take(slot);
    const count = this.#slots[slot + 2] ?? 0;
    this.#slots[slot + 2] = count + 1;
    return count - 1;
  }

  /** The slot that holds the id, or the free one where it belongs. */
  #find(id: string): number {
    const { high, low } = keyedHash(id, this.#key, this.#hash);
    return this.#probe(high, low);
  }

  #probe(high: number, low: number): number {
    const slots = this.#slots;
    const mask = this.#capacity - 1;
    // Ends: a quarter of the slots is always free.
    for (let index = low & mask; ; index = (index + 1) & mask) {
      const slot = index * WORDS;
      if (slots[slot + 2] === 0) return slot;
      if (slots[slot] === high && slots[slot + 1] === low) return slot;
    }
  }

  /** Fills the free slot with the id found last; returns the slot, which growing may have moved. */
  #take(free: number): number {
    const { high, low } = this.#hash;
    let slot = free;
    if ((this.#size + 1) * 4 > this.#capacity * 3) {
      this.#grow();
      slot = this.#probe(high, low);
    }
    this.#slots[slot] = high;
    this.#slots[slot + 1] = low;
    this.#slots[slot + 2] = 1;
    this.#size++;
    return slot;
  }

  #grow(): void {
    const old = this.#slots;
    this.#capacity *= 2;
    this.#slots = new Uint32Array(this.#capacity * WORDS);
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from + 2] === 0) continue;
      const slot = this.#probe(old[from] ?? 0, old[from + 1] ?? 0);
      for (let word = 0; word < WORDS; word++) this.#slots[slot + word] = old[from + word] ?? 0;
    }
  }
}
