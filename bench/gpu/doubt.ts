import { floatToHalf } from '#float16.ts';
import { CpuSegments } from '#scorer/cpu/cpu-segments.ts';
import { captionVectors } from '../caption-vectors.ts';
import { randomVectors, type TestVectors } from '../random-vectors.ts';
import { randomUnit } from './seeded-table.ts';

const SEGMENT_ROWS = 8192;
const QUERIES = 64;

/** The share of rows that the CPU's first pass in 8 bits leaves in doubt, on vectors of several kinds. */
export async function doubt(): Promise<void> {
  console.log('rows in doubt a query                     k 10             k 100');
  for (const [name, vectors] of kinds()) {
    const { stored, dimensions, queries } = await vectors();
    for (const [kind, some] of Object.entries(queries)) {
      const shares: string[] = [];
      for (const k of [10, 100]) shares.push(await shareOf(stored, dimensions, some, k));
      console.log(`${`${name}, ${kind}`.padEnd(34)}  ${shares.join('  ')}`);
    }
  }
}

function* kinds(): Generator<readonly [string, () => Promise<TestVectors>]> {
  const random = { dimensions: 768, stored: randomUnit(40_000, 768, 1) };
  const queries = { any: split(randomUnit(QUERIES, 768, 7), 768) };
  yield ['40,000 x 768 random', async () => ({ ...random, queries })];
  yield ['20,000 x 256 clustered', async () => randomVectors(20_000, 256, QUERIES)];
  yield ['5,000 x 256 bundled model', () => captionVectors(5000, QUERIES)];
}

function split(values: Float32Array, dimensions: number): Float32Array[] {
  return Array.from({ length: values.length / dimensions }, (_, i) =>
    values.subarray(i * dimensions, (i + 1) * dimensions),
  );
}

async function shareOf(
  stored: Float32Array,
  dimensions: number,
  queries: readonly Float32Array[],
  k: number,
): Promise<string> {
  const segments = new CpuSegments();
  const rows = Math.floor(stored.length / dimensions / 64) * 64;
  const parts: { segment: number; hidden: null }[] = [];
  for (let first = 0; first < rows; first += SEGMENT_ROWS) {
    const some = Math.min(SEGMENT_ROWS, rows - first);
    const halves = floatToHalf(stored.subarray(first * dimensions, (first + some) * dimensions));
    await segments.open({ kind: 'open', segment: first, halves, rows: some, dimensions });
    parts.push({ segment: first, hidden: null });
  }
  const all = Float32Array.from(queries.flatMap((query) => [...query]));
  const { rows: doubtful } = await segments.score({ parts, queries: all, k });
  for (const { segment } of parts) await segments.close(segment);
  const each = doubtful.length / queries.length;
  return `${each.toFixed(0).padStart(5)} (${((100 * each) / rows).toFixed(2)} %)`;
}
