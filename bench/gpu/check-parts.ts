import { floatToHalf } from '#float16.ts';
import { createRandom } from '../random-model.ts';
import { MemoryTable, type RowFilter } from './memory-table.ts';
import { randomUnit } from './seeded-table.ts';

export interface Step {
  /** [Q, D] */
  readonly queries: Float32Array;
  /** How many of the queries at once, and k. */
  readonly ks: readonly (readonly [count: number, k: number])[];
  readonly filter?: RowFilter;
}

export interface Scene {
  readonly name: string;
  readonly table: MemoryTable;
  readonly options?: { readonly maxTail?: number; readonly segmentRows?: number };
  /** Each is held against a brute force before the next one changes the table. */
  steps(): Iterable<Step>;
}

const DIMENSIONS = [32, 100, 128, 256, 512, 768, 1024];
const COUNTS = [1, 2, 4, 5, 16, 64, 200];
const BORDERS = [
  1, 2, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 4095, 4096, 4097, 8191, 8192, 8193, 16_383, 16_384,
];
const LARGE_BORDERS = [16_385, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073];

/** What is checked, by name. */
export const PARTS: Readonly<Record<string, () => Iterable<Scene>>> = {
  dims: dimensionScenes,
  rows: () => rowScenes(BORDERS),
  special: specialScenes,
  filters: filterScenes,
  commits: commitScenes,
  borders: () => rowScenes(LARGE_BORDERS),
  million: millionScenes,
};

/** Every length of vector and number of queries. */
function* dimensionScenes(): Generator<Scene> {
  for (const dimensions of DIMENSIONS) {
    const queries = randomUnit(200, dimensions, 7);
    const ks = COUNTS.flatMap((count) => [
      [count, 10] as const,
      ...(count <= 2 ? [[count, 1000] as const] : []),
    ]);
    yield {
      name: `${dimensions} dimensions`,
      table: filled(dimensions, randomUnit(3000, dimensions, dimensions)),
      options: { maxTail: 0 },
      steps: () => [{ queries, ks }],
    };
  }
}

/** Numbers of rows around the border of every block, segment and tail. */
function* rowScenes(sizes: readonly number[]): Generator<Scene> {
  const dimensions = 32;
  const all = randomUnit(Math.max(...sizes), dimensions, 3);
  for (const size of sizes)
    for (const options of size <= 1025 ? [{ maxTail: 0 }] : [{}, { maxTail: 20, segmentRows: 1024 }])
      yield {
        name: `${size} rows`,
        table: filled(dimensions, all.subarray(0, size * dimensions)),
        options,
        steps: () => [{ queries: randomUnit(5, dimensions, size), ks: kUpTo(size, 5) }],
      };
}

function kUpTo(rows: number, count: number): (readonly [number, number])[] {
  return [1, 10, 100, 1000, 10_000].filter((k) => k < 10 * rows).map((k) => [count, k] as const);
}

/** Vectors that float32 sums, blocks and bounds are most easily wrong about. */
function* specialScenes(): Generator<Scene> {
  for (const dimensions of [32, 100]) {
    const size = 3000;
    const random = createRandom(dimensions);
    const unit = randomUnit(size, dimensions, 11);
    const base = unit.slice(0, dimensions);
    const ties = unit.slice();
    for (let row = 1000; row < size; row++)
      ties.copyWithin(row * dimensions, (row % 10) * dimensions, ((row % 10) + 1) * dimensions);
    const near = unit.map((_, i) => (base[i % dimensions] as number) * (1 + (random() - 0.5) * 2e-3));
    const zeros = unit.map((value, i) => (Math.floor(i / dimensions) % 3 === 0 ? 0 : value));
    // The smallest float16 numbers are multiples of 2^-24.
    const denormal = unit.map((_, i) => 2 ** -24 * ((i * 7) % 5));
    const spread = unit.map((value, i) => value * 10 ** -((Math.floor(i / dimensions) % 7) - 2));
    const oneLarge = unit.map((value, i) => (i % dimensions === 3 ? 8 + value : value));
    const kinds = {
      ties,
      near,
      same: unit.map((_, i) => base[i % dimensions] as number),
      zeros,
      denormal,
      spread,
      oneLarge,
    };
    for (const [name, vectors] of Object.entries(kinds)) {
      const queries = Float32Array.from([
        ...base,
        ...randomUnit(4, dimensions, 5),
        ...base.map((value) => -value),
      ]);
      const zero = new Float32Array(dimensions);
      yield {
        name: `${name}, ${dimensions} dimensions`,
        table: filled(dimensions, vectors),
        options: { maxTail: 30, segmentRows: 1024 },
        steps: () => [
          { queries, ks: [1, 10, 50, 3000, 5000].map((k) => [6, k] as const) },
          { queries: zero, ks: [[1, 10]] },
        ],
      };
    }
  }
}

/** Filters that leave none, one, half, all but one. */
function* filterScenes(): Generator<Scene> {
  const filters: RowFilter[] = [
    () => false,
    (row) => row === 4097,
    (row) => row % 2 === 0,
    (row) => row !== 0,
    (row) => row < 70,
  ];
  for (const dimensions of [100, 768]) {
    const queries = randomUnit(16, dimensions, 9);
    yield {
      name: `filters, ${dimensions} dimensions`,
      table: filled(dimensions, randomUnit(6000, dimensions, 13)),
      steps: () =>
        filters.map((filter) => ({
          queries,
          filter,
          ks: [
            [1, 1],
            [5, 10],
            [16, 10],
            [2, 7000],
          ] as const,
        })),
    };
  }
}

/** Rows that are added, changed and deleted from one query to the next. */
function* commitScenes(): Generator<Scene> {
  const dimensions = 128;
  const table = filled(dimensions, randomUnit(2000, dimensions, 17));
  const queries = randomUnit(5, dimensions, 19);
  function* steps(): Generator<Step> {
    for (let round = 0; round < 8; round++) {
      yield {
        queries,
        ks: [
          [1, 1],
          [5, 10],
          [2, 5000],
        ],
      };
      const halves = floatToHalf(randomUnit(700, dimensions, 100 + round));
      // The first hundred are new versions of rows that there were.
      const changed = table.rows(false).slice(0, 100);
      const ids = changed.map((row) => table.ids[row] as string);
      table.delete([...changed, ...table.rows(false).slice(500, 550 + 300 * round)]);
      table.add([...ids, ...Array.from({ length: 600 }, (_, i) => `new ${round} ${i}`)], halves);
    }
    yield { queries, filter: (row) => row % 3 === 0, ks: [[5, 10]] };
    table.delete(table.rows(false));
    yield { queries, ks: [[5, 10]] };
  }
  yield { name: 'commits', table, options: { maxTail: 256, segmentRows: 1024 }, steps };
}

/** As many rows as one search is told of, at the length of VLMo-base. */
function* millionScenes(): Generator<Scene> {
  for (const dimensions of [32, 768]) {
    const table = new MemoryTable(dimensions);
    const pool = floatToHalf(randomUnit(8000, dimensions, 23));
    for (let first = 0; first < 1_000_000; first += 8000) {
      // Turned by a value for each batch, so that no two rows are alike.
      const halves = new Uint16Array(pool.length);
      const turn = (first / 8000) % dimensions;
      halves.set(pool.subarray(turn));
      halves.set(pool.subarray(0, turn), pool.length - turn);
      for (let at = Math.floor(first / 8000 / dimensions); at < halves.length; at += 7)
        halves[at] = (halves[at] as number) ^ 0x8000;
      table.add(
        Array.from({ length: 8000 }, (_, i) => `${first + i}`),
        halves,
      );
    }
    const queries = randomUnit(4, dimensions, 29);
    yield {
      name: `1,000,000 rows, ${dimensions} dimensions`,
      table,
      steps: () => [
        {
          queries,
          ks: [
            [1, 1],
            [4, 10],
            [2, 1000],
            [1, 10_000],
          ],
        },
        { queries, filter: (row) => row % 2 === 0, ks: [[4, 10]] },
      ],
    };
  }
}

/** Rows with ids of mixed lengths, in no order. */
function filled(dimensions: number, vectors: Float32Array): MemoryTable {
  const table = new MemoryTable(dimensions);
  const count = vectors.length / dimensions;
  table.add(
    Array.from({ length: count }, (_, i) => `${(i * 7919) % 1_000_003}`),
    floatToHalf(vectors),
  );
  return table;
}
