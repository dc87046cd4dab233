import { halfToFloat } from '#float16.ts';
import type { AddressedRows, AddressedVectors } from '#store/contract.ts';

interface GrowingRow {
  readonly address: bigint;
  readonly id: string;
  /** [dimensions] */
  readonly values: Float32Array;
}

/** The rows that no segment has yet: few, and scored here, one by one. */
export class GrowingRows {
  #rows = new Map<bigint, GrowingRow>();

  /** Holds the rows at these addresses and no others; what it does not have yet is read. */
  async hold(table: Pick<AddressedRows, 'vectors'>, addresses: BigUint64Array): Promise<void> {
    const held = new Map<bigint, GrowingRow>();
    const missing: bigint[] = [];
    for (const address of addresses) {
      const row = this.#rows.get(address);
      if (row) held.set(address, row);
      else missing.push(address);
    }
    if (missing.length > 0)
      for await (const batch of table.vectors(BigUint64Array.from(missing))) addTo(held, batch);
    this.#rows = held;
  }

  has(address: bigint): boolean {
    return this.#rows.has(address);
  }

  /** The rows at these of its addresses, or all. */
  *rows(addresses?: Iterable<bigint>): Generator<GrowingRow> {
    if (!addresses) yield* this.#rows.values();
    else
      for (const address of addresses) {
        const row = this.#rows.get(address);
        if (row) yield row;
      }
  }
}

function addTo(held: Map<bigint, GrowingRow>, { addresses, ids, halves }: AddressedVectors): void {
  const dimensions = halves.length / Math.max(1, ids.length);
  ids.forEach((id, i) => {
    const values = halfToFloat(halves.subarray(i * dimensions, (i + 1) * dimensions));
    const address = addresses[i] as bigint;
    held.set(address, { address, id, values });
  });
}
