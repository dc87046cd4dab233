import { floatToHalf } from '#float16.ts';
import type { AddressedRows, AddressedVectors, PlacedRows } from '#store/contract.ts';
import { createRandom } from '../random-model.ts';

/** What a scorer reads of a table. */
export type ScoredTable = AddressedRows & PlacedRows<{ readonly id: string }>;

const BATCH_ROWS = 8192;
/** A table that is made as it is read: no two rows alike, and the same ones each time. A filter leaves every tenth. */
export function seededTable(rows: number, dimensions: number): ScoredTable {
  const pool = floatToHalf(randomUnit(BATCH_ROWS, dimensions, 1));
  async function* vectors(): AsyncGenerator<AddressedVectors> {
    for (let first = 0; first < rows; first += BATCH_ROWS) {
      const count = Math.min(BATCH_ROWS, rows - first);
      const halves = pool.slice(0, count * dimensions);
      const random = createRandom(first);
      const signs = Uint16Array.from({ length: dimensions }, () => (random() < 0.5 ? 0x8000 : 0));
      for (let row = 0, at = 0; row < count; row++)
        for (let i = 0; i < dimensions; i++, at++) halves[at] = (halves[at] as number) ^ (signs[i] as number);
      const addresses = BigUint64Array.from({ length: count }, (_, i) => BigInt(first + i));
      yield { addresses, ids: Array.from({ length: count }, (_, i) => String(first + i)), halves };
    }
  }
  return {
    version: async () => 1,
    rowsAt: async () => new Map(),
    addresses: async (where) => {
      const step = where === undefined ? 1 : 10;
      return BigUint64Array.from({ length: Math.ceil(rows / step) }, (_, i) => BigInt(i * step));
    },
    async *vectors(addresses) {
      const wanted = addresses && new Set(addresses);
      for await (const batch of vectors()) {
        if (!wanted) yield batch;
        else
          for (const [i, address] of batch.addresses.entries())
            if (wanted.has(address))
              yield {
                addresses: BigUint64Array.of(address),
                ids: [batch.ids[i] as string],
                halves: batch.halves.slice(i * dimensions, (i + 1) * dimensions),
              };
      }
    },
  };
}

/** Vectors of unit length [count, dimensions], each value near a normal distribution. */
export function randomUnit(count: number, dimensions: number, seed: number): Float32Array {
  const random = createRandom(seed);
  const vectors = Float32Array.from(
    { length: count * dimensions },
    () => random() + random() + random() - 1.5,
  );
  for (let row = 0; row < count; row++) {
    const vector = vectors.subarray(row * dimensions, (row + 1) * dimensions);
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] as number) / length;
  }
  return vectors;
}
