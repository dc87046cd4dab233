import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect, Index } from '@lancedb/lancedb';
import { parseFilter } from '#search/filter/filter.ts';
import { measureRecall } from '#search/measure-recall.ts';
import type { CaptionRecord, GenerationTables, VectorTable } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { openStore } from '#store/lance/open-store.ts';
import { defaultProbes, partitionsOf } from '#store/lance/vector-index.ts';
import { captionVectors } from './caption-vectors.ts';
import { randomVectors, type TestVectors } from './random-vectors.ts';

const K = 10;

/**
 * Approximate against exact search: which kind of index, then how many partitions to look into, and with filters, on
 * captions of the bundled model or on random vectors.
 */
export async function approximate(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string', default: '60000' },
      queries: { type: 'string', default: '200' },
      /** Random vectors of so many dimensions instead of captions. */
      dimensions: { type: 'string' },
      kinds: { type: 'string', default: Object.keys(KINDS).join(',') },
    },
  });
  const [rows, queries] = [Number(values.rows), Number(values.queries)];
  const vectors =
    values.dimensions === undefined
      ? await captionVectors(rows, queries)
      : randomVectors(rows, Number(values.dimensions), queries);
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-bench-approximate-'));
  try {
    await using store = await openStore(join(folder, 'index'), { create: true });
    const tables = await fill(await store.openGeneration(generation(vectors.dimensions)), vectors);
    console.log(`${rows} x ${vectors.dimensions} float16, ${partitionsOf(rows)} partitions, recall@${K}\n`);
    await compareKinds(tables, vectors, join(folder, 'index/lance'), values.kinds.split(','));
    await compareProbes(tables.captions, vectors, rows);
    await compareFilters(tables.captions, vectors, rows);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function generation(dimensions: number) {
  const names = { collection: 'bench', fingerprint: '0'.repeat(32), modelName: 'bench', modelPath: '/bench' };
  return { ...names, preprocess: 'fast', dimensions };
}

async function fill(
  tables: GenerationTables,
  { stored, dimensions }: TestVectors,
): Promise<GenerationTables> {
  const count = stored.length / dimensions;
  for (let start = 0; start < count; start += 10_000) {
    const length = Math.min(10_000, count - start);
    const rows = Array.from({ length }, (_, i) => row(start + i));
    const vectors = stored.slice(start * dimensions, (start + length) * dimensions);
    await tables.captions.upsert({ rows, vectors });
  }
  await tables.captions.optimize();
  return tables;
}

/** `image_id` is one of a thousand, for filters. */
function row(number: number): CaptionRecord {
  const id = String(number);
  const imageId = String(number % 1000).padStart(3, '0');
  const key = itemKey('bench', 'caption', id);
  return {
    ...{ key, source: 'bench', id, uri: 'bench', imageSource: 'bench', imageId, caption: id, meta: {} },
    ...{ indexedAt: new Date(0), run: 'bench' },
  };
}

const KINDS: Readonly<Record<string, (rows: number) => Index>> = {
  'rq-1': (rows) => ivfRq(rows, 1),
  'rq-3': (rows) => ivfRq(rows, 3),
  'rq-5': (rows) => ivfRq(rows, 5),
  flat: (rows) => Index.ivfFlat({ distanceType: 'cosine', numPartitions: partitionsOf(rows) }),
  'hnsw-sq': () => Index.hnswSq({ distanceType: 'cosine', numPartitions: 1 }),
  pq: (rows) => Index.ivfPq({ distanceType: 'cosine', numPartitions: partitionsOf(rows) }),
};

function ivfRq(rows: number, numBits: number): Index {
  return Index.ivfRq({ distanceType: 'cosine', numBits, numPartitions: partitionsOf(rows) });
}

async function compareKinds(
  tables: GenerationTables,
  vectors: TestVectors,
  lance: string,
  kinds: readonly string[],
): Promise<void> {
  const connection = await connect(lance);
  const table = await connection.openTable(`${tables.record.name}.captions`);
  const rows = await table.countRows();
  for (const kind of kinds) {
    const start = performance.now();
    const name = 'vector_approximate';
    await table.createIndex('vector', { config: (KINDS[kind] as (rows: number) => Index)(rows), name });
    const seconds = (performance.now() - start) / 1000;
    const { sizeBytes = 0 } = (await table.listIndices()).find((index) => index.name === name) ?? {};
    console.log(`${kind}: built in ${seconds.toFixed(1)} s, ${(sizeBytes / rows).toFixed(0)} bytes a row`);
    await report(tables.captions, vectors, [defaultProbes(rows)]);
  }
  table.close();
  connection.close();
}

async function compareProbes(table: VectorTable<CaptionRecord>, vectors: TestVectors, rows: number) {
  await table.buildVectorIndex();
  const all = partitionsOf(rows);
  const probes = Array.from({ length: Math.ceil(Math.log2(all)) }, (_, i) => 2 ** i);
  console.log(`\nBy partitions looked into, default ${Math.min(all, defaultProbes(rows))}`);
  await report(
    table,
    vectors,
    [...new Set([...probes, Math.min(all, defaultProbes(rows)), all])].sort(numeric),
  );
}

async function compareFilters(table: VectorTable<CaptionRecord>, vectors: TestVectors, rows: number) {
  for (const [share, text] of [
    ['half', `image_id < '500'`],
    ['10 %', `image_id < '100'`],
    ['1 %', `image_id < '010'`],
    ['0.1 %', `image_id = '007'`],
  ] as const) {
    const where = parseFilter(text, 'caption');
    const filtered: Pick<VectorTable<CaptionRecord>, 'nearest' | 'nearestApproximate'> = {
      nearest: (query, options) => table.nearest(query, { ...options, where }),
      nearestApproximate: (query, options) => table.nearestApproximate(query, { ...options, where }),
    };
    console.log(`\nFiltered to ${share} of the rows`);
    await report(filtered, vectors, [defaultProbes(rows)]);
  }
}

async function report(
  table: Pick<VectorTable<CaptionRecord>, 'nearest' | 'nearestApproximate'>,
  { queries }: TestVectors,
  probes: readonly number[],
): Promise<void> {
  for (const [name, vectors] of Object.entries(queries)) {
    const { exact, settings } = await measureRecall({ table, queries: vectors, k: K, probes });
    console.log(
      `  ${name.padEnd(9)} exact ${exact.median.toFixed(1)} ms, 95 % within ${exact.p95.toFixed(1)} ms`,
    );
    for (const { probes: count, recall, atLeast, latency } of settings) {
      const times = `${latency.median.toFixed(1)} ms, 95 % within ${latency.p95.toFixed(1)} ms`;
      const ratio = (exact.median / latency.median).toFixed(2);
      console.log(
        `  ${name.padEnd(9)} probes ${String(count).padStart(3)}: ${recall.toFixed(4)} (at least ${atLeast.toFixed(3)}), ${times}, ${ratio} times as fast`,
      );
    }
  }
}

function numeric(a: number, b: number): number {
  return a - b;
}
