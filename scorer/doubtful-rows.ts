import { kthLargest } from './kth-largest.ts';
import type { Candidates } from './protocol.ts';

/** Room at first: most lists of a device stay this short, and there is one for each query. */
const MIN_CAPACITY = 32;
const MIN_TIGHTENED = 256;
/** Values of a row: part, row, value, error. */
const WIDTH = 4;

let lower = new Float64Array(MIN_TIGHTENED);

/**
 * The rows in doubt of one query, gathered from one segment after the other. k rows are surely at least as good as the
 * k-th largest of `value - error`: what cannot reach that is dropped.
 */
export class DoubtfulRows {
  readonly #k: number;
  /** [length, 4] in one piece of memory, since thousands of lists are made a second. */
  #items = new Float64Array(WIDTH * MIN_CAPACITY);
  #length = 0;
  #least = Number.NEGATIVE_INFINITY;
  #tightenAt: number;

  constructor(k: number) {
    this.#k = k;
    this.#tightenAt = Math.max(MIN_TIGHTENED, 4 * k);
  }

  get length(): number {
    return this.#length;
  }

  part(at: number): number {
    return this.#items[WIDTH * at] as number;
  }

  row(at: number): number {
    return this.#items[WIDTH * at + 1] as number;
  }

  value(at: number): number {
    return this.#items[WIDTH * at + 2] as number;
  }

  error(at: number): number {
    return this.#items[WIDTH * at + 3] as number;
  }

  /** What a row has to reach with its error to be among the k best. */
  get least(): number {
    return this.#least;
  }

  /** Notes that k rows, of those that are pushed, are at least this good. */
  raise(least: number): void {
    if (least > this.#least) this.#least = least;
  }

  push(part: number, row: number, value: number, error: number): void {
    if (value + error < this.#least) return;
    if (WIDTH * this.#length === this.#items.length) this.#grow();
    const at = WIDTH * this.#length++;
    this.#items[at] = part;
    this.#items[at + 1] = row;
    this.#items[at + 2] = value;
    this.#items[at + 3] = error;
    if (this.#length === this.#tightenAt) {
      this.tighten();
      this.#tightenAt = Math.max(this.#tightenAt, 2 * this.#length);
    }
  }

  /** Drops what k others are better than. */
  tighten(): void {
    const [items, length] = [this.#items, this.#length];
    if (length >= this.#k) {
      if (lower.length < length) lower = new Float64Array(2 * length);
      for (let i = 0; i < length; i++) lower[i] = this.value(i) - this.error(i);
      this.raise(kthLargest(lower, length, this.#k));
    }
    let kept = 0;
    for (let i = 0; i < length; i++) {
      if (this.value(i) + this.error(i) < this.#least) continue;
      if (kept !== i) items.copyWithin(WIDTH * kept, WIDTH * i, WIDTH * (i + 1));
      kept += 1;
    }
    this.#length = kept;
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#items.length);
    larger.set(this.#items);
    this.#items = larger;
  }

  /** The lists of all queries, one after the other. */
  static concat(lists: readonly DoubtfulRows[]): Candidates {
    for (const list of lists) list.tighten();
    const total = lists.reduce((sum, { length }) => sum + length, 0);
    const candidates = {
      ends: new Int32Array(lists.length),
      parts: new Int32Array(total),
      rows: new Int32Array(total),
      values: new Float64Array(total),
      errors: new Float64Array(total),
    };
    let at = 0;
    lists.forEach((list, q) => {
      for (let i = 0; i < list.length; i++, at++) {
        candidates.parts[at] = list.part(i);
        candidates.rows[at] = list.row(i);
        candidates.values[at] = list.value(i);
        candidates.errors[at] = list.error(i);
      }
      candidates.ends[q] = at;
    });
    return candidates;
  }
}
