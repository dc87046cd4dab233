import type { ScoredTable } from './seeded-table.ts';

/** A filter of such a table, which it is given in place of the store's. */
export type RowFilter = (row: number) => boolean;

/** A table in memory whose rows may be added, changed and deleted, each at an address of its own. */
export class MemoryTable implements ScoredTable {
  readonly dimensions: number;
  readonly ids: string[] = [];
  readonly #halves: Uint16Array[] = [];
  readonly #offsets: number[] = [];
  readonly #blocks: number[] = [];
  readonly #live: boolean[] = [];
  #version = 1;
  filter: RowFilter = () => true;

  constructor(dimensions: number) {
    this.dimensions = dimensions;
  }

  add(ids: readonly string[], halves: Uint16Array): void {
    this.#halves.push(halves);
    ids.forEach((id, i) => {
      this.ids.push(id);
      this.#blocks.push(this.#halves.length - 1);
      this.#offsets.push(i * this.dimensions);
      this.#live.push(true);
    });
    this.#version += 1;
  }

  delete(rows: Iterable<number>): void {
    for (const row of rows) this.#live[row] = false;
    this.#version += 1;
  }

  /** Numbers of the rows that there are, and the filter lets through. */
  rows(isFiltered: boolean): number[] {
    const rows: number[] = [];
    for (let row = 0; row < this.ids.length; row++)
      if (this.#live[row] && (!isFiltered || this.filter(row))) rows.push(row);
    return rows;
  }

  vector(row: number): Uint16Array {
    const at = this.#offsets[row] as number;
    return (this.#halves[this.#blocks[row] as number] as Uint16Array).subarray(at, at + this.dimensions);
  }

  version = async (): Promise<number> => this.#version;
  rowsAt = async (): Promise<Map<bigint, { readonly id: string }>> => new Map();
  addresses: ScoredTable['addresses'] = async (where) =>
    BigUint64Array.from(this.rows(where !== undefined), BigInt);

  async *vectors(addresses?: BigUint64Array): ReturnType<ScoredTable['vectors']> {
    const rows = addresses ? Array.from(addresses, Number) : this.rows(false);
    for (let first = 0; first < rows.length; first += 8192) {
      const some = rows.slice(first, first + 8192);
      const halves = new Uint16Array(some.length * this.dimensions);
      some.forEach((row, i) => {
        halves.set(this.vector(row), i * this.dimensions);
      });
      yield {
        addresses: BigUint64Array.from(some, BigInt),
        ids: some.map((row) => this.ids[row] as string),
        halves,
      };
    }
  }
}
