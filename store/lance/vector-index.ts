import { Index, type Table, type VectorQuery } from '@lancedb/lancedb';
import { VlmoError } from '#errors.ts';
import type { VectorIndexState } from '#store/contract.ts';

/**
 * An approximate index of the vectors: they are put into partitions around centres (IVF), and kept there in three bits a
 * value (RaBitQ). A search looks into the partitions whose centres are nearest, then rows are scored by their vectors.
 *
 * Why this one, of those that LanceDB 0.39 has (docs/benchmarks.md has the figures): product quantisation (IVF_PQ) takes
 * forty times as long to build and misses a tenth; a graph (IVF_HNSW_SQ) takes twenty times as long and four times the
 * disk for the same hits; whole vectors (IVF_FLAT) find as much too, but are slower and as large as the vectors
 * themselves. One bit instead of three misses up to 8 %, five bits win nothing.
 */
export async function buildVectorIndex(table: Table, what: string): Promise<void> {
  const rows = await table.countRows();
  const dimensions = await vectorLength(table);
  if (rows < MIN_ROWS) throw unsuitable(what, `at least ${MIN_ROWS} rows`, `${rows}`);
  if (dimensions % 8 !== 0) {
    throw unsuitable(what, 'vectors of a multiple of 8 values', `vectors of ${dimensions}`);
  }
  const config = Index.ivfRq({ distanceType: 'cosine', numBits: BITS, numPartitions: partitionsOf(rows) });
  await table.createIndex(COLUMN, { config, name: NAME, replace: true });
}

/** Undefined where there is none. */
export async function readVectorIndex(table: Table): Promise<VectorIndexState | undefined> {
  const indices = await table.listIndices();
  if (!indices.some(({ name }) => name === NAME)) return undefined;
  const stats = await table.indexStats(NAME);
  return stats && { rows: stats.numIndexedRows, unindexed: stats.numUnindexedRows };
}

/** Its files go with the next `optimize` that is ten minutes later or more. */
export async function dropVectorIndex(table: Table): Promise<void> {
  if (await readVectorIndex(table)) await table.dropIndex(NAME);
}

/**
 * Makes a search look into the `probes` nearest partitions. Rows that the index does not cover yet are compared one by one.
 *
 * Lance can look into more by itself while a filter leaves it with too few rows, but then it goes into all of them even
 * where the first ones have more than enough: `nearest-approximate.ts` sees to that instead.
 */
export function searchByIndex(search: VectorQuery, probes: number): VectorQuery {
  return search.distanceType('cosine').nprobes(probes);
}

/** How many partitions an index of this many rows has. */
export function partitionsOf(rows: number): number {
  return Math.max(1, Math.ceil(rows / PARTITION_ROWS));
}

/**
 * Partitions to look into for a recall@10 of 0.98. That took 2 to 3 times the square root of their number on vectors of
 * the bundled model, pictures against captions, whether 60,000 rows lay in 15 partitions, 59 or 235.
 */
export function defaultProbes(rows: number): number {
  return Math.ceil(3 * Math.sqrt(partitionsOf(rows)));
}

const COLUMN = 'vector';
const NAME = 'vector_approximate';
const BITS = 3;
/** Of Lance itself. More partitions take longer to build, and to find the nearest of. */
const PARTITION_ROWS = 4096;
/** Fewer are compared one by one in the time that a search by the index takes. */
const MIN_ROWS = 10_000;

async function vectorLength(table: Table): Promise<number> {
  const field = (await table.schema()).fields.find(({ name }) => name === COLUMN);
  return (field?.type as { readonly listSize?: number } | undefined)?.listSize ?? 0;
}

function unsuitable(what: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'ANN_UNSUITABLE',
    `Cannot build an approximate index of ${what}: expected ${expected}, received ${received}; exact search needs none`,
  );
}
