import { HALF_VALUES } from '#float16.ts';
import type { Found } from '#scorer/score.ts';
import type { MemoryTable } from './memory-table.ts';

/** The products of all queries [Q, D] with some rows in float64, one value after the other: [Q, rows]. */
export function allProducts(
  table: MemoryTable,
  rows: readonly number[],
  queries: Float32Array,
): Float64Array[] {
  const { dimensions } = table;
  const count = queries.length / dimensions;
  const products = Array.from({ length: count }, () => new Float64Array(rows.length));
  const values = new Float64Array(dimensions);
  rows.forEach((row, at) => {
    const halves = table.vector(row);
    for (let i = 0; i < dimensions; i++) values[i] = HALF_VALUES[halves[i] as number] as number;
    // Four sums at a time, none of which waits for another.
    for (let q = 0; q < count; q += 4) {
      let [a, b, c, d] = [0, 0, 0, 0];
      const [qa, qb, qc, qd] = [0, 1, 2, 3].map((n) => Math.min(q + n, count - 1) * dimensions) as [
        number,
        number,
        number,
        number,
      ];
      for (let i = 0; i < dimensions; i++) {
        const value = values[i] as number;
        a += (queries[qa + i] as number) * value;
        b += (queries[qb + i] as number) * value;
        c += (queries[qc + i] as number) * value;
        d += (queries[qd + i] as number) * value;
      }
      [a, b, c, d].forEach((sum, n) => {
        const row = products[q + n];
        if (row) row[at] = sum;
      });
    }
  });
  return products;
}

/** The k best rows by their products, ties by id. */
export function best(
  table: MemoryTable,
  rows: readonly number[],
  products: Float64Array,
  k: number,
): Found[] {
  const least = products.toSorted().at(-Math.min(k, products.length)) ?? 0;
  const found: Found[] = [];
  products.forEach((score, i) => {
    if (score >= least)
      found.push({ address: BigInt(rows[i] as number), id: table.ids[rows[i] as number] as string, score });
  });
  return found.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, k);
}
