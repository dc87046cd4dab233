import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Device, type DeviceName, resolveDevice } from '#devices/device.ts';
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import { storedQueries } from '#search/batch/queries.ts';
import { retrieve } from '#search/batch/retrieve.ts';
import type { CaptionRecord, GenerationTables, ImageRecord } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { openStore } from '#store/lance/open-store.ts';
import { randomUnit } from './seeded-table.ts';

const K = 10;
const ROWS_AT_ONCE = 8192;

export interface StoredOptions {
  readonly device: string;
  /** Pictures in the index, and captions that are the queries. */
  readonly stored: string;
  readonly captions: string;
  readonly dimensions: string;
}

/** A real index on disk: how fast it is put on a device beside a scan alone, and how fast its captions are all answered. */
export async function stored(values: StoredOptions): Promise<void> {
  const [rows, captions, dimensions] = [values.stored, values.captions, values.dimensions].map(Number) as [
    number,
    number,
    number,
  ];
  const device = await resolveDevice(values.device as DeviceName);
  console.log(`device ${device.provider}: ${device.reason}`);
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-bench-stored-'));
  try {
    await using store = await openStore(join(folder, 'index'), { create: true });
    const tables = await store.openGeneration(generation(dimensions));
    await fill(tables, { rows, captions, dimensions });
    await scan(tables, dimensions);
    await search(tables, device, { dimensions, captions, out: join(folder, 'results.parquet') });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function generation(dimensions: number) {
  const names = { collection: 'bench', fingerprint: '0'.repeat(32), modelName: 'bench', modelPath: '/bench' };
  return { ...names, preprocess: 'fast', dimensions };
}

interface Sizes {
  readonly rows: number;
  readonly captions: number;
  readonly dimensions: number;
}

async function fill(tables: GenerationTables, { rows, captions, dimensions }: Sizes): Promise<void> {
  const started = performance.now();
  const pool = randomUnit(ROWS_AT_ONCE, dimensions, 1);
  for (let first = 0; first < rows; first += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, rows - first);
    const records = Array.from({ length: count }, (_, i) => imageRow(String(first + i)));
    await tables.images.upsert({ rows: records, vectors: turned(pool, first, count * dimensions) });
  }
  for (let first = 0; first < captions; first += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, captions - first);
    const records = Array.from({ length: count }, (_, i) => captionRow(String(first + i)));
    const vectors = randomUnit(count, dimensions, 100 + first);
    await tables.captions.upsert({ rows: records, vectors });
  }
  console.log(`filled in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** The same values with other signs: no two batches alike. */
function turned(pool: Float32Array, seed: number, length: number): Float32Array {
  return pool.slice(0, length).map((value, i) => ((i * (seed + 1)) % 7 < 3 ? -value : value));
}

const PLACE = { source: 'bench', uri: 'file:///bench', meta: {}, indexedAt: new Date(0), run: 'bench' };

function imageRow(id: string): ImageRecord {
  const size = {
    width: 1,
    height: 1,
    bytes: 1,
    sha256: id.padStart(64, '0'),
    format: 'jpeg',
    stamp: null,
    described: null,
  };
  return { ...PLACE, ...size, id, key: itemKey('bench', 'image', id) };
}

function captionRow(id: string): CaptionRecord {
  const caption = { caption: `caption ${id}`, imageSource: 'bench', imageId: id };
  return { ...PLACE, ...caption, id, key: itemKey('bench', 'caption', id) };
}

async function scan(tables: GenerationTables, dimensions: number): Promise<void> {
  const started = performance.now();
  let values = 0;
  for await (const { halves } of tables.images.vectors()) values += halves.length;
  const seconds = (performance.now() - started) / 1000;
  const rate = (2 * values) / 1e9 / seconds;
  console.log(`scanned ${values / dimensions} rows in ${seconds.toFixed(2)} s, ${rate.toFixed(2)} GB/s`);
}

async function search(
  tables: GenerationTables,
  device: Device,
  { dimensions, captions, out }: { dimensions: number; captions: number; out: string },
): Promise<void> {
  await using scorer = createResidentScorer(tables.images, { device, dimensions });
  let started = performance.now();
  await scorer.nearestIds(randomUnit(1, dimensions, 7), { k: K });
  console.log(`loaded in ${((performance.now() - started) / 1000).toFixed(2)} s`);
  started = performance.now();
  await retrieve({
    queries: storedQueries(tables, 'captions'),
    nearestIds: scorer.nearestIds,
    rows: tables.images,
    k: K,
    out,
    asked: {},
    signal: new AbortController().signal,
  });
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `retrieved ${captions} queries in ${seconds.toFixed(2)} s, ${(captions / seconds).toFixed(0)}/s`,
  );
}
