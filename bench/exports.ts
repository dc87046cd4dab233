import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LAYOUTS } from '#exports/request.ts';
import { openIndex } from '#service/open-index.ts';
import type { CaptionRecord, ImageRecord } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { openStore } from '#store/lance/open-store.ts';

/**
 * Exporting made-up pictures, each with a caption, in every layout: rows and bytes a second, as a part of what a plain copy
 * of the same bytes to the same disk takes, and the memory that the process has at most beyond what it has at rest.
 */
export async function exportsBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string', default: '100000' },
      dimensions: { type: 'string', default: '768' },
      layouts: { type: 'string', default: LAYOUTS.join(',') },
      folder: { type: 'string', default: tmpdir() },
      'part-rows': { type: 'string', default: '20000' },
    },
  });
  const folder = await mkdtemp(join(values.folder, 'vlmo-bench-exports-'));
  const path = join(folder, 'index');
  try {
    await makeIndex(path, Number(values.rows), Number(values.dimensions));
    console.log('layout              rows/s    MB/s    copy    ratio   peak MiB');
    for (const to of LAYOUTS.filter((one) => values.layouts.split(',').includes(one)))
      await measure(to, path, join(folder, to), Number(values['part-rows']));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(
  to: (typeof LAYOUTS)[number],
  path: string,
  out: string,
  partRows: number,
): Promise<void> {
  await using index = await openIndex(path);
  global.gc?.();
  const rest = process.memoryUsage().rss;
  let peak = rest;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 50);
  const start = performance.now();
  const { written } = await index.export({ to, out, partRows });
  const seconds = (performance.now() - start) / 1000;
  clearInterval(timer);
  const bytes = await sizeOf(out);
  const copied = await copy(out, `${out}.copy`);
  const [rate, plain] = [bytes / seconds / 1e6, bytes / copied / 1e6];
  const cells = [
    to.padEnd(16),
    (written / seconds).toFixed(0).padStart(9),
    rate.toFixed(0).padStart(7),
    plain.toFixed(0).padStart(7),
    (rate / plain).toFixed(2).padStart(8),
    ((peak - rest) / 2 ** 20).toFixed(0).padStart(10),
  ];
  console.log(cells.join(''));
  await rm(out, { recursive: true });
}

async function* filesOf(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) yield join(entry.parentPath, entry.name);
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for await (const path of filesOf(folder)) bytes += (await stat(path)).size;
  return bytes;
}

/** Seconds to copy the files of a folder behind each other into one, until they are on the disk, as those of an export are. */
async function copy(folder: string, to: string): Promise<number> {
  const start = performance.now();
  const buffer = Buffer.alloc(2 ** 20);
  const target = await open(to, 'w');
  for await (const path of filesOf(folder)) {
    const source = await open(path);
    for (;;) {
      const { bytesRead } = await source.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      await target.write(buffer, 0, bytesRead);
    }
    await source.close();
    await target.datasync();
  }
  await target.close();
  const seconds = (performance.now() - start) / 1000;
  await rm(to);
  return seconds;
}

const BATCH = 5000;

async function makeIndex(path: string, count: number, dimensions: number): Promise<void> {
  await using store = await openStore(path, { create: true });
  const { images, captions } = await store.openGeneration({
    ...{ collection: 'default', fingerprint: '0'.repeat(64), modelName: 'none', modelPath: '/none' },
    ...{ preprocess: 'fast', dimensions },
  });
  for (let from = 0; from < count; from += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => from + i);
    await images.upsert({ rows: numbers.map(picture), vectors: vectors(numbers.length, dimensions) });
    await captions.upsert({ rows: numbers.map(caption), vectors: vectors(numbers.length, dimensions) });
  }
  await images.optimize();
  await captions.optimize();
}

const SOURCE = '/pictures';
const idOf = (n: number): string => `${String(n).padStart(9, '0')}.jpg`;
const WRITTEN = { indexedAt: new Date(0), run: 'bench' };

function picture(n: number): ImageRecord {
  const id = idOf(n);
  return {
    ...{ key: itemKey(SOURCE, 'image', id), source: SOURCE, id, uri: `${SOURCE}/${id}` },
    ...{ width: 640, height: 480, bytes: 50_000, sha256: 'ab'.repeat(32), format: 'jpeg' },
    ...{ stamp: null, described: null, meta: { year: 2000 + (n % 25) }, ...WRITTEN },
  };
}

function caption(n: number): CaptionRecord {
  const id = `${idOf(n)}#0`;
  return {
    ...{ key: itemKey(SOURCE, 'caption', id), source: SOURCE, id, uri: `${SOURCE}/captions.csv` },
    ...{ imageSource: SOURCE, imageId: idOf(n), caption: `a picture of the things of number ${n}` },
    ...{ meta: {}, ...WRITTEN },
  };
}

/** Of unit length. */
function vectors(count: number, dimensions: number): Float32Array {
  const drawn = Float32Array.from({ length: count * dimensions }, () => Math.random() - 0.5);
  for (let row = 0; row < count; row++) {
    const vector = drawn.subarray(row * dimensions, (row + 1) * dimensions);
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] ?? 0) / length;
  }
  return drawn;
}
