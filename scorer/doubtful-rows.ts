import { kthLargest } from './kth-largest.ts';
import type { Candidates } from './protocol.ts';

const MIN_CAPACITY = 256;

/**
 * The rows in doubt of one query, gathered from one segment after the other. k rows are surely at least as good as the
 * k-th largest of `value - error`: what cannot reach that is dropped.
 */
export class DoubtfulRows {
  readonly #k: number;
  #parts = new Int32Array(MIN_CAPACITY);
  #rows = new Int32Array(MIN_CAPACITY);
  #values = new Float64Array(MIN_CAPACITY);
  #errors = new Float64Array(MIN_CAPACITY);
  #lower = new Float64Array(MIN_CAPACITY);
  #length = 0;
  #least = Number.NEGATIVE_INFINITY;
  #tightenAt: number;

  constructor(k: number) {
    this.#k = k;
    this.#tightenAt = Math.max(MIN_CAPACITY, 4 * k);
  }

  get length(): number {
    return this.#length;
  }

  part(at: number): number {
    return this.#parts[at] as number;
  }

  row(at: number): number {
    return this.#rows[at] as number;
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
    if (this.#length === this.#rows.length) this.#grow();
    const at = this.#length++;
    this.#parts[at] = part;
    this.#rows[at] = row;
    this.#values[at] = value;
    this.#errors[at] = error;
    if (this.#length === this.#tightenAt) {
      this.tighten();
      this.#tightenAt = Math.max(this.#tightenAt, 2 * this.#length);
    }
  }

  /** Drops what k others are better than. */
  tighten(): void {
    const length = this.#length;
    if (length >= this.#k) {
      for (let i = 0; i < length; i++)
        this.#lower[i] = (this.#values[i] as number) - (this.#errors[i] as number);
      this.raise(kthLargest(this.#lower, length, this.#k));
    }
    let kept = 0;
    for (let i = 0; i < length; i++) {
      const [value, error] = [this.#values[i] as number, this.#errors[i] as number];
      if (value + error < this.#least) continue;
      this.#parts[kept] = this.#parts[i] as number;
      this.#rows[kept] = this.#rows[i] as number;
      this.#values[kept] = value;
      this.#errors[kept++] = error;
    }
    this.#length = kept;
  }

  #grow(): void {
    const size = 2 * this.#rows.length;
    this.#parts = grown(this.#parts, new Int32Array(size));
    this.#rows = grown(this.#rows, new Int32Array(size));
    this.#values = grown(this.#values, new Float64Array(size));
    this.#errors = grown(this.#errors, new Float64Array(size));
    this.#lower = new Float64Array(size);
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
      const { length } = list;
      candidates.parts.set(list.#parts.subarray(0, length), at);
      candidates.rows.set(list.#rows.subarray(0, length), at);
      candidates.values.set(list.#values.subarray(0, length), at);
      candidates.errors.set(list.#errors.subarray(0, length), at);
      at += length;
      candidates.ends[q] = at;
    });
    return candidates;
  }
}

function grown<T extends Int32Array | Float64Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
