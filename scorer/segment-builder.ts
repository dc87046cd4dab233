import type { AddressedVectors } from '#store/contract.ts';
import { BLOCK_ROWS } from './blocks.ts';
import { IdList } from './id-list.ts';

/** Rows that make a segment. */
export interface SegmentRows {
  /** float16 bits [rows, D], in memory that threads share. */
  readonly halves: Uint16Array;
  readonly ids: IdList;
  readonly addresses: BigUint64Array;
  /** Whole blocks. */
  readonly rows: number;
}

export interface BuildOptions {
  readonly dimensions: number;
  /** Rows of a segment at most: whole blocks. */
  readonly capacity: number;
}

/** Rows that a segment has room for at first. */
const FIRST_ROWS = 8192;

/** Cuts a stream of rows into segments. The last rows, fewer than a block, are left out. */
export async function* buildSegments(
  stream: AsyncIterable<AddressedVectors>,
  { dimensions, capacity }: BuildOptions,
): AsyncGenerator<SegmentRows> {
  let open = new OpenSegment(dimensions, capacity);
  for await (const { addresses, ids, halves } of stream) {
    for (let done = 0; done < ids.length; ) {
      const end = Math.min(ids.length, done + capacity - open.rows);
      open.add(
        addresses.subarray(done, end),
        ids.slice(done, end),
        halves.subarray(done * dimensions, end * dimensions),
      );
      done = end;
      if (open.rows < capacity) continue;
      yield open.seal();
      open = new OpenSegment(dimensions, capacity);
    }
  }
  if (open.rows >= BLOCK_ROWS) yield open.seal();
}

class OpenSegment {
  readonly #dimensions: number;
  readonly #buffer: SharedArrayBuffer;
  readonly #ids = new IdList();
  readonly #addresses: BigUint64Array[] = [];

  constructor(dimensions: number, capacity: number) {
    this.#dimensions = dimensions;
    const bytes = (rows: number): number => 2 * rows * dimensions;
    // The system gives memory when it is written: what is never reached costs nothing.
    this.#buffer = new SharedArrayBuffer(bytes(Math.min(FIRST_ROWS, capacity)), {
      maxByteLength: bytes(capacity),
    });
  }

  get rows(): number {
    return this.#ids.length;
  }

  add(addresses: BigUint64Array, ids: readonly string[], halves: Uint16Array): void {
    const at = this.rows * this.#dimensions;
    const needed = 2 * (at + halves.length);
    if (needed > this.#buffer.byteLength)
      this.#buffer.grow(Math.min(this.#buffer.maxByteLength, Math.max(needed, 2 * this.#buffer.byteLength)));
    new Uint16Array(this.#buffer, 2 * at, halves.length).set(halves);
    this.#addresses.push(addresses.slice());
    for (const id of ids) this.#ids.push(id);
  }

  seal(): SegmentRows {
    const rows = this.rows - (this.rows % BLOCK_ROWS);
    const addresses = new BigUint64Array(this.rows);
    let at = 0;
    for (const some of this.#addresses) {
      addresses.set(some, at);
      at += some.length;
    }
    const halves = new Uint16Array(this.#buffer, 0, rows * this.#dimensions);
    return { halves, ids: this.#ids, addresses: addresses.subarray(0, rows), rows };
  }
}
