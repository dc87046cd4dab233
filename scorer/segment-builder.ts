import type { AddressedVectors } from '#store/contract.ts';
import { IdList } from './id-list.ts';
import type { SegmentType } from './protocol.ts';
import { createSegmentFile, type SegmentFile } from './segment-file.ts';
import { BLOCK_ROWS } from './top-k-graph.ts';

/** Rows that make a segment, before a device has them. */
export interface SegmentRows {
  readonly file: SegmentFile;
  readonly ids: IdList;
  readonly addresses: BigUint64Array;
  /** Whole blocks of them; the file may hold some more, which the segment does without. */
  readonly rows: number;
}

export interface BuildOptions {
  readonly folder: string;
  readonly dimensions: number;
  readonly type: SegmentType;
  /** Rows of a segment at most: whole blocks. */
  readonly capacity: number;
}

/** Cuts a stream of rows into segments. The last rows, fewer than a block, are left out. */
export async function* buildSegments(
  stream: AsyncIterable<AddressedVectors>,
  options: BuildOptions,
): AsyncGenerator<SegmentRows> {
  let open: OpenSegment | undefined;
  try {
    for await (const { addresses, ids, halves } of stream) {
      for (let done = 0; done < ids.length; ) {
        open ??= await OpenSegment.create(options);
        const end = Math.min(ids.length, done + options.capacity - open.rows);
        const some = halves.subarray(done * options.dimensions, end * options.dimensions);
        await open.add(addresses.subarray(done, end), ids.slice(done, end), some);
        done = end;
        if (open.rows < options.capacity) continue;
        const full = open.seal();
        open = undefined;
        yield full;
      }
    }
    if (open && open.rows >= BLOCK_ROWS) {
      const last = open.seal();
      open = undefined;
      yield last;
    }
  } finally {
    await open?.discard();
  }
}

let count = 0;

class OpenSegment {
  readonly #file: SegmentFile;
  readonly #ids = new IdList();
  readonly #addresses: BigUint64Array;

  private constructor(file: SegmentFile, capacity: number) {
    this.#file = file;
    this.#addresses = new BigUint64Array(capacity);
  }

  static async create({ folder, type, capacity }: BuildOptions): Promise<OpenSegment> {
    return new OpenSegment(await createSegmentFile(folder, `segment-${count++}`, type), capacity);
  }

  get rows(): number {
    return this.#ids.length;
  }

  async add(addresses: BigUint64Array, ids: readonly string[], halves: Uint16Array): Promise<void> {
    await this.#file.append(halves);
    this.#addresses.set(addresses, this.rows);
    for (const id of ids) this.#ids.push(id);
  }

  seal(): SegmentRows {
    const rows = this.rows - (this.rows % BLOCK_ROWS);
    return { file: this.#file, ids: this.#ids, addresses: this.#addresses.slice(0, rows), rows };
  }

  async discard(): Promise<void> {
    await this.#file.unlink();
    await this.#file.close();
  }
}
