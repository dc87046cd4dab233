import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { connect, type Table } from '@lancedb/lancedb';
import { Table as ArrowTable, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import type { Finding } from '#doctor/finding.ts';
import { checkIndex } from '#doctor/index/check-index.ts';
import { KeySet } from '#doctor/index/key-set.ts';
import { floatToHalf } from '#float16.ts';
import { textColumn, vectorData, vectorField } from '#store/lance/columns.ts';
import { openStore } from '#store/lance/open-store.ts';
import {
  captionRow,
  failureRecord,
  generationSpec,
  imageKeys,
  imageRow,
  temporaryFolder,
  unitVectors,
} from '../store/lance/store-fixture.ts';

const ROWS = 40;

/** Two collections with pictures, captions, failures and a text index; nothing is wrong with it. */
async function goodIndex(t: TestContext): Promise<string> {
  const index = join(await temporaryFolder(t), 'index');
  await using store = await openStore(index, { create: true });
  for (const collection of ['default', 'other']) {
    const { images, captions } = await store.openGeneration(generationSpec({ collection }));
    const rows = Array.from({ length: ROWS }, (_, i) => imageRow(`p${i}`));
    await images.upsert({ rows, vectors: unitVectors(ROWS, 4) });
    const texts = rows.map(({ id }) => captionRow(`${id}#0`, { imageId: id, caption: `elephant ${id}` }));
    const unread = captionRow('unread#0', { imageId: 'unread', caption: '大象' });
    await captions.upsert({ rows: [...texts, unread], vectors: unitVectors(ROWS + 1, 4) });
    await store.failures.upsert([failureRecord('unread', { collection })]);
    for await (const _ of captions.matching('elephants')) break;
  }
  return index;
}

async function check(index: string): Promise<Map<string, Finding>> {
  const found = new Map<string, Finding>();
  for await (const finding of checkIndex(index)) found.set(finding.name, finding);
  return found;
}

/** What is not well, as `name state`. */
function unwell(found: ReadonlyMap<string, Finding>): string[] {
  return [...found.values()]
    .filter(({ state }) => state !== 'ok')
    .map(({ name, state }) => `${name} ${state}`);
}

/** A table past our own store. */
async function raw(index: string, name: string, work: (table: Table) => Promise<unknown>): Promise<void> {
  const connection = await connect(join(index, 'lance'));
  await work(await connection.openTable(name));
  connection.close();
}

const IMAGES = 'default.0123456789ab.images';

async function setVector(index: string, key: string, vector: readonly number[]): Promise<void> {
  const name = textColumn('key', (row: { key: string }) => row.key);
  const schema = new Schema([name.field, vectorField(4)]);
  const children = [name.data([{ key }]), vectorData(floatToHalf(Float32Array.from(vector)), 4)];
  const data = makeData({ type: new Struct(schema.fields), length: 1, nullCount: 0, children });
  await raw(index, IMAGES, (table) =>
    table
      .mergeInsert(['key'])
      .whenMatchedUpdateAll()
      .execute(new ArrowTable(schema, new RecordBatch(schema, data))),
  );
}

async function contents(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const stats = await Promise.all(names.map((name) => stat(join(folder, name))));
  return names.map((name, i) => `${name} ${stats[i]?.size} ${stats[i]?.mtimeMs}`).sort();
}

describe('vlmo doctor --index', () => {
  test('an index with nothing wrong: all is ok, and nothing is written', async (t) => {
    const index = await goodIndex(t);
    const before = await contents(index);
    const found = await check(index);
    assert.deepEqual(
      [...found].map(([name, { state }]) => `${name} ${state}`),
      [
        'tables',
        'index',
        'leftovers',
        'vectors',
        'keys',
        'captions',
        'failures',
        'odd pictures',
        'lookups',
      ].map((name) => `${name} ok`),
    );
    assert.equal(found.get('vectors')?.data?.rows, 2 * (2 * ROWS + 1));
    assert.equal(found.get('lookups')?.data?.looked, 4 * 32);
    assert.deepEqual(await contents(index), before);
  });

  test('vectors that are not finite or not of unit length are counted and named', async (t) => {
    const index = await goodIndex(t);
    const [nan = '', long = '', short = '', whole = ''] = imageKeys(['p3', 'p4', 'p5', 'p6']);
    await setVector(index, nan, [Number.NaN, 0, 0, 1]);
    await setVector(index, long, [1, 0.5, 0, 0]);
    await setVector(index, short, [0, 0, 0, 0]);
    await setVector(index, whole, [0.5, 0.5, 0.5, 0.5]);
    const found = await check(index);
    assert.deepEqual(unwell(found), ['vectors faulty']);
    const { detail = '', data } = found.get('vectors') ?? {};
    assert.match(detail, /^3 vectors are not of unit length; .*vlmo remove --key KEY --index .*: "p/);
    const items = data?.items as { key: string; collection: string }[];
    assert.deepEqual(items.map(({ key }) => key).sort(), [nan, long, short].sort());
    assert.ok(items.every(({ collection }) => collection === 'default'));
  });

  test('rows with the same key are named', async (t) => {
    const index = await goodIndex(t);
    await raw(index, IMAGES, async (table) => {
      await table.update({ where: "id = 'p7'", valuesSql: { key: `'${imageKeys(['p8'])[0]}'` } });
    });
    const found = await check(index);
    assert.equal(found.get('keys')?.state, 'faulty');
    assert.equal(found.get('keys')?.data?.count, 1);
    assert.match(found.get('keys')?.detail ?? '', /^1 rows have a key that another one has/);
  });

  test('captions of pictures that nobody knows, and what is stored and failed at once, are named', async (t) => {
    const index = await goodIndex(t);
    {
      await using store = await openStore(index, { create: false, write: true });
      const record = (await store.activeGeneration('default')) ?? assert.fail();
      const { captions } = await store.tables(record);
      await captions.upsert({
        rows: [captionRow('lost#0', { imageId: 'lost' })],
        vectors: unitVectors(1, 4),
      });
      await store.failures.upsert([
        failureRecord('p9'),
        failureRecord('p9#0', { kind: 'caption' }),
        failureRecord('p1', { kind: 'broken' }),
        failureRecord('p2', { collection: 'gone' }),
      ]);
    }
    const found = await check(index);
    assert.deepEqual(unwell(found).sort(), ['captions faulty', 'failures faulty']);
    assert.match(found.get('captions')?.detail ?? '', /^1 captions .*: "lost#0" \(source "default"\)$/);
    assert.match(found.get('failures')?.detail ?? '', /^2 items .*--retry-failed.*"p9"/);
  });

  test('tables that are gone or damaged are all named, with what is not', async (t) => {
    const index = await goodIndex(t);
    await rm(join(index, 'lance', 'failures.lance'), { recursive: true });
    await rm(join(index, 'lance', `${IMAGES}.lance`, 'data'), { recursive: true });
    const found = await check(index);
    const { state, detail = '' } = found.get('tables') ?? {};
    assert.equal(state, 'broken');
    assert.match(detail, /"failures" \(/);
    assert.match(detail, /"default\.0123456789ab\.images" \(/);
    assert.doesNotMatch(detail, /"runs"|captions"|other\./);
    assert.match(detail, /from a backup/);
    assert.match(found.get('index')?.detail ?? '', /"failures" is gone/);
  });

  test('a table of a generation that is gone, and one of none', async (t) => {
    const index = await goodIndex(t);
    const lance = join(index, 'lance');
    await rm(join(lance, `${IMAGES}.lance`), { recursive: true });
    const connection = await connect(lance);
    await connection.createTable('stray.0123456789ab.captions', [{ key: 'a' }]);
    connection.close();
    const found = await check(index);
    assert.match(found.get('index')?.detail ?? '', /table "default\.0123456789ab\.images" is gone/);
    assert.equal(found.get('index')?.state, 'broken');
    assert.match(found.get('leftovers')?.detail ?? '', /"lance\/stray\.0123456789ab\.captions\.lance"/);
  });

  test('a text index whose files are damaged is said to be', async (t) => {
    const index = await goodIndex(t);
    const folder = join(index, 'lance', 'default.0123456789ab.captions.lance', '_indices');
    for (const name of await readdir(folder, { recursive: true })) {
      const path = join(folder, name);
      if ((await stat(path)).isFile()) await writeFile(path, (await readFile(path)).fill(0));
    }
    const found = await check(index);
    assert.ok(
      [...found.values()].some(({ state, detail }) => state === 'broken' && /captions|index/.test(detail)),
      JSON.stringify([...found.values()]),
    );
  });

  test('what killed processes have left is named once it is old; a marker that is none is said', async (t) => {
    const index = await goodIndex(t);
    const old = new Date(Date.now() - 2 * 3600_000);
    const scratch = `.vlmo-index.json.${'0a'.repeat(16)}`;
    for (const name of [scratch, '.migration.lock', 'own-notes.txt']) {
      await writeFile(join(index, name), '');
      await utimes(join(index, name), old, old);
    }
    await writeFile(join(index, '.migration.lock.turn'), '');
    const { state, data } = (await check(index)).get('leftovers') ?? assert.fail();
    assert.deepEqual([state, data?.left], ['note', ['.migration.lock', scratch]]);

    await writeFile(join(index, 'vlmo-index.json'), 'something else');
    const found = await check(index);
    assert.equal(found.get('index')?.state, 'broken');
    assert.match(found.get('index')?.detail ?? '', /vlmo-index\.json.*something else/);
  });
});

test('KeySet knows what was added, once or more, among thousands', () => {
  const keys = imageKeys(Array.from({ length: 5000 }, (_, i) => `k${i}`));
  const set = new KeySet();
  for (const key of keys) set.add(key);
  assert.equal(set.repeated().size, 0);
  for (const i of [7, 4999]) set.add(keys[i] ?? '');
  const repeated = set.repeated();
  assert.deepEqual(
    keys.map((key, i) => (repeated.has(key) ? i : -1)).filter((i) => i >= 0),
    [7, 4999],
  );
  assert.ok(keys.every((key) => set.has(key)));
  assert.ok(imageKeys(['none', 'other']).every((key) => !set.has(key)));
});
