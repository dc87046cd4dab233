import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { fingerprint } from '#model/fingerprint.ts';
import { openModel } from '#model/open-model.ts';
import { openStore } from '#store/lance/open-store.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { put } from '../pipeline/pictures.ts';
import { clusteredVectors } from '../store/lance/clustered.ts';
import { captionRow, imageRow } from '../store/lance/store-fixture.ts';
import { assertCannotRun, vlmo, vlmoJson } from './cli-fixture.ts';

interface Optimized {
  readonly collection: string;
  readonly tables: readonly {
    readonly table: string;
    readonly rows: number;
    readonly ann: { readonly rows: number; readonly unindexed: number } | null;
    readonly annSeconds: number | null;
    readonly reason: string | null;
  }[];
  readonly recall: readonly {
    readonly queriedBy: string;
    readonly target: string;
    readonly defaultProbes: number;
    readonly k: number;
    readonly queries: number;
    readonly exact: { readonly median: number; readonly p95: number };
    readonly settings: readonly {
      readonly probes: number;
      readonly recall: number;
      readonly atLeast: number;
      readonly latency: { readonly median: number; readonly p95: number };
    }[];
  }[];
  readonly plot: string | null;
}

const PICTURES = 12_000;
const CAPTIONS = 300;
const folder = await temporaryFolder({ after });
const index = join(folder, 'index');
const plot = join(folder, 'recall.png');

/** An index of the tiny model that has more rows than it would embed in a test: their vectors are made up. */
before(async () => {
  const modelPath = await importTiny(folder);
  const model = await openModel(modelPath);
  const dimensions = model.dimensions;
  await using store = await openStore(index, { create: true });
  for (const [collection, pictures] of [
    ['default', PICTURES],
    ['small', 20],
  ] as const) {
    const { images, captions } = await store.openGeneration({
      collection,
      fingerprint: await fingerprint(model, 'fast'),
      modelName: model.name,
      modelPath,
      preprocess: 'fast',
      dimensions,
    });
    const { vectors, queries } = clusteredVectors(pictures, dimensions, CAPTIONS);
    for (let start = 0; start < pictures; start += 1000) {
      const length = Math.min(1000, pictures - start);
      const rows = Array.from({ length }, (_, n) => imageRow(`p${start + n}`));
      await images.upsert({
        rows,
        vectors: vectors.slice(start * dimensions, (start + length) * dimensions),
      });
    }
    const rows = queries.map((_, n) => captionRow(`p${n}#0`));
    await captions.upsert({ rows, vectors: Float32Array.from(queries.flatMap((query) => [...query])) });
  }
});

async function optimize(...args: string[]): Promise<Optimized> {
  const { lines, stderr } = await vlmoJson<Optimized>(['optimize', '--index', index, '--json', ...args]);
  assert.equal(lines.length, 1);
  assert.doesNotMatch(stderr, /WARN/);
  return lines[0] as Optimized;
}

describe('vlmo optimize', () => {
  test('without flags it compacts the tables; every row stays', async () => {
    const { tables, recall, plot: none } = await optimize();
    assert.deepEqual(
      tables.map(({ table, rows, ann }) => [table, rows, ann]),
      [
        ['images', PICTURES, null],
        ['captions', CAPTIONS, null],
      ],
    );
    assert.deepEqual([recall, none], [[], null]);
    const { stdout } = await vlmo(['optimize', '--index', index]);
    assert.match(stdout, /^images: 12,000 rows, compacted in .* s; no approximate index\n/);
  });

  test('--measure and approximate search without an index: an error that says how to build one', async () => {
    const args = ['optimize', '--index', index, '--measure'];
    await assertCannotRun(args, 'ANN_INDEX_MISSING', 'vlmo optimize --ann');
  });

  test('--ann builds where rows are enough and says why not elsewhere; --drop-ann takes it away', async () => {
    const { tables } = await optimize('--ann');
    const [images, captions] = tables;
    assert.deepEqual([images?.ann, images?.reason], [{ rows: PICTURES, unindexed: 0 }, null]);
    assert.ok((images?.annSeconds ?? 0) > 0);
    assert.deepEqual([captions?.ann, captions?.annSeconds], [null, null]);
    assert.match(captions?.reason ?? '', /expected at least 10000 rows, received 300/);
    const small = ['optimize', '--index', index, '--collection', 'small', '--ann'];
    await assertCannotRun(small, 'ANN_UNSUITABLE', '10000 rows', 'received 20');

    assert.equal((await optimize('--drop-ann')).tables[0]?.ann, null);
    assert.equal((await optimize()).tables[0]?.ann, null);
  });

  test('--measure: recall and latency by probes, the same recall for a seed, and a plot', async () => {
    await optimize('--ann');
    const args = ['--measure', '--sample', '50', '-k', '5', '--plot', plot];
    const { tables, recall, plot: written } = await optimize(...args);
    assert.deepEqual([tables, written], [[], plot]);
    const [measured] = recall;
    assert.equal(recall.length, 1, 'captions have no index');
    assert.deepEqual(
      [measured?.queriedBy, measured?.target, measured?.k, measured?.queries],
      ['captions → images', 'images', 5, 50],
    );
    const { settings = [], exact } = measured ?? {};
    assert.deepEqual(
      settings.map(({ probes }) => probes),
      [1, 2, 3],
    );
    assert.ok((settings.at(-1)?.recall ?? 0) >= 0.98, 'all partitions');
    assert.ok((settings[0]?.recall ?? 1) < (settings.at(-1)?.recall ?? 0), 'one of three');
    for (const { recall: found, atLeast, latency } of settings) {
      assert.ok(atLeast < found && latency.median > 0 && latency.p95 >= latency.median);
    }
    assert.ok((exact?.median ?? 0) > 0);
    const { format, width = 0 } = await sharp(plot).metadata();
    assert.equal(format, 'png');
    assert.ok(width >= 760);

    const recalls = ({ recall: all }: Optimized) =>
      all.map((one) => one.settings.map((setting) => setting.recall));
    assert.deepEqual(recalls(await optimize(...args)), [settings.map((setting) => setting.recall)]);
  });

  test('--queries: the lines of a file, embedded by the model of the collection; a table for people', async () => {
    await optimize('--ann');
    const queries = join(folder, 'queries.txt');
    await put(folder, 'queries.txt', 'a red apple\n\n two dogs on a beach \r\na cat\n');
    const svg = join(folder, 'recall.svg');
    const args = ['--measure', '--queries', queries, '--plot', svg];
    const { recall } = await optimize(...args);
    assert.deepEqual([recall[0]?.queries, recall[0]?.k], [3, 10]);
    const { stdout } = await vlmo(['optimize', '--index', index, ...args]);
    assert.match(
      stdout,
      /queries\.txt → images: recall@10 of 3 queries\nprobes +recall +at least +median ms/,
    );
    assert.match(stdout, /^3 \(default\) /m);
    assert.match(stdout, /^exact +1 /m);
    const drawn = await readFile(svg, 'utf8');
    for (const words of ['recall@10', 'median ms a query', 'partitions looked into', '3 queries'])
      assert.ok(drawn.includes(words), words);
  });

  test('1 and one line for what does not go together', async () => {
    const at = ['optimize', '--index', index];
    await assertCannotRun([...at, '--ann', '--drop-ann'], 'USAGE_INVALID', '--drop-ann');
    await assertCannotRun([...at, '--drop-ann', '--measure'], 'USAGE_INVALID', '--measure');
    await assertCannotRun([...at, '--queries', 'x.txt'], 'USAGE_INVALID', '--measure');
    await assertCannotRun(
      [...at, '--measure', '--queries', join(folder, 'none.txt')],
      'USAGE_INVALID',
      'none.txt',
    );
    await put(folder, 'empty.txt', '\n \n');
    await assertCannotRun(
      [...at, '--measure', '--queries', join(folder, 'empty.txt')],
      'USAGE_INVALID',
      'empty.txt',
    );
    await assertCannotRun(
      [...at, '--measure', '--plot', join(folder, 'no/such/recall.svg')],
      'USAGE_INVALID',
      'recall.svg',
    );
    await assertCannotRun([...at, '--collection', 'other'], 'COLLECTION_NOT_FOUND', 'other');
    await assertCannotRun(['optimize', '--index', join(folder, 'none')], 'STORE_NOT_FOUND', 'none');
  });
});
