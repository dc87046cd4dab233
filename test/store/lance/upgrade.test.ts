import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { connect } from '@lancedb/lancedb';
import { Bool, type DataType, Field, Int32, Int64, Schema, TimestampMillisecond, Utf8 } from 'apache-arrow';
import { createChunkPlanner } from '#pipeline/lookup.ts';
import type { RunRecord, Store } from '#store/contract.ts';
import { INDEX_FORMAT } from '#store/lance/index-folder.ts';
import { openStore } from '#store/lance/open-store.ts';
import { collect } from '../../pipeline/pipeline-fixture.ts';
import { failureRecord, generationSpec, imageRow, temporaryFolder, unitVectors } from './store-fixture.ts';

const RUN: RunRecord = {
  ...{
    id: 'r1',
    kind: 'direct',
    source: '/photos',
    place: '/photos',
    collection: 'default',
    generation: 'default.0123456789ab',
  },
  ...{
    state: 'complete',
    submitted: true,
    options: '{}',
    seen: 1,
    stored: 1,
    skipped: 0,
    failed: 0,
    kinds: null,
  },
  ...{ startedAt: new Date(0), endedAt: null, number: 3, owner: '{}', lease: 7, truncated: null },
};

/** Lance's own types are of another copy of Arrow than ours. */
const TYPES: Readonly<Record<string, DataType>> = {
  Utf8: new Utf8(),
  Int32: new Int32(),
  Int64: new Int64(),
  Bool: new Bool(),
  'Timestamp<MILLISECOND>': new TimestampMillisecond(),
};

/** Takes away all that format 2 has brought; marks of keys stay once they are set, so tables without are made anew. */
async function degrade(index: string): Promise<void> {
  const connection = await connect(join(index, 'lance'));
  for (const [name, added] of [
    ['runs', ['kind', 'submitted', 'options', 'number', 'owner', 'lease', 'truncated']],
    ['failures', ['item', 'run_number']],
  ] as const) {
    const { fields } = await (await connection.openTable(name)).schema();
    const kept = fields.filter((field) => !(added as readonly string[]).includes(field.name));
    await connection.dropTable(name);
    const old = kept.map(
      ({ name, type, nullable }) => new Field(name, TYPES[String(type)] as DataType, nullable),
    );
    await connection.createEmptyTable(name, new Schema(old));
  }
  for (const name of ['chunks', 'chunk_results']) await connection.dropTable(name);
  connection.close();
  await writeFile(join(index, 'vlmo-index.json'), '{"format":1}\n');
}

async function keysOf(index: string, name: string): Promise<string[]> {
  const connection = await connect(join(index, 'lance'));
  const { fields } = await (await connection.openTable(name)).schema();
  connection.close();
  const mark = 'lance-schema:unenforced-primary-key';
  return fields.filter(({ metadata }) => metadata.get(mark) === 'true').map(({ name }) => name);
}

async function write(store: Store): Promise<void> {
  const { images } = await store.openGeneration(generationSpec());
  await images.upsert({ rows: [imageRow('a')], vectors: unitVectors(1, 4) });
  await store.failures.upsert([failureRecord('b')]);
  await store.runs.upsert(RUN);
}

test('openStore reads an index of format 1 as it is, and brings it up to date to be written', async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  const made = await openStore(index, { create: true });
  await write(made);
  await made.close();
  await degrade(index);
  assert.deepEqual(await keysOf(index, 'failures'), []);

  {
    await using read = await openStore(index, { create: false });
    assert.equal(read.isWritable, false);
    assert.deepEqual(await collect(read.runs.scan({ kind: 'queued' })), []);
    assert.deepEqual(await collect(read.failures.scan()), []);
    await assert.rejects(read.runs.upsert(RUN), { code: 'STORE_VERSION_UNSUPPORTED' });
    assert.equal(await readFile(join(index, 'vlmo-index.json'), 'utf8'), '{"format":1}\n');
    assert.deepEqual(await keysOf(index, 'failures'), []);
  }

  const notes: string[] = [];
  await using store = await openStore(index, {
    ...{ create: false, write: true },
    note: (line) => notes.push(line),
  });
  assert.match(notes[0] ?? '', /^Bringing index ".+" from format 1 to 2: .+; a moment$/);
  assert.match(notes[1] ?? '', /^Bringing index ".+" from format 1 to 2: done in \d+\.\d s$/);
  assert.equal(notes.length, 2 * (INDEX_FORMAT - 1));
  assert.match(
    await readFile(join(index, 'vlmo-index.json'), 'utf8'),
    new RegExp(`^{"format":${INDEX_FORMAT},"id":"[0-9a-f]{32}","made":true}\n$`),
  );
  assert.deepEqual(await keysOf(index, 'runs'), ['id']);
  assert.deepEqual((await keysOf(index, 'failures')).sort(), ['collection', 'key']);
  await write(store);
  assert.deepEqual(await collect(store.failures.scan()), [failureRecord('b')]);
  await store.failures.upsert([failureRecord('c', { item: '{"kind":"image"}' })]);
  assert.equal(await store.failures.count(), 2);
  assert.deepEqual(await collect(store.runs.scan({ kind: 'direct', state: 'complete' })), [RUN]);
  assert.deepEqual(await collect(store.runs.scan({ kind: 'queued' })), []);
  const { images } = await store.openGeneration(generationSpec());
  assert.equal(await images.count(), 1);
});

test('openStore gives an index one id, whoever makes it first', async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  const stores = await Promise.all([1, 2, 3].map(() => openStore(index, { create: true })));
  assert.equal(new Set(stores.map(({ id }) => id)).size, 1);
  for (const store of stores) await store.close();
  await using again = await openStore(index, { create: false });
  assert.equal(again.id, stores[0]?.id);
});

test('Store.requireFormat refuses an index that a newer program has raised meanwhile', async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  await using store = await openStore(index, { create: true });
  await store.requireFormat();
  const marker = { format: INDEX_FORMAT + 1, id: store.id, later: 'kept' };
  await writeFile(join(index, 'vlmo-index.json'), JSON.stringify(marker));
  await assert.rejects(store.requireFormat(), { code: 'STORE_VERSION_UNSUPPORTED' });
  await assert.rejects(openStore(index, { create: false }), { code: 'STORE_VERSION_UNSUPPORTED' });
  const tables = await store.openGeneration(generationSpec());
  await assert.rejects(createChunkPlanner(store, tables)([], 's'), { code: 'STORE_VERSION_UNSUPPORTED' });
});

test('openStore reads an index of format 6, which does not know files by their times, and adds that to be written', async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  {
    await using made = await openStore(index, { create: true });
    await write(made);
  }
  const connection = await connect(join(index, 'lance'));
  for (const [name, columns] of [
    ['default.0123456789ab.images', ['stamp', 'described']],
    ['failures', ['stamp']],
  ] as const)
    await (await connection.openTable(name)).dropColumns([...columns]);
  connection.close();
  const marker = join(index, 'vlmo-index.json');
  const { id } = JSON.parse(await readFile(marker, 'utf8')) as { id: string };
  await writeFile(marker, JSON.stringify({ format: 6, id }));
  const row = imageRow('a');
  for (const write of [false, true]) {
    await using store = await openStore(index, { create: false, write });
    const [generation] = await store.generations();
    assert.ok(generation);
    const { images } = await store.tables(generation);
    assert.deepEqual((await images.find([row.key])).get(row.key), row);
    assert.deepEqual(await collect(store.failures.scan()), [failureRecord('b')]);
    if (!write) continue;
    const known = { ...row, stamp: '1 2 3', described: 'x' };
    await images.upsert({ rows: [known], vectors: unitVectors(1, 4) });
    assert.deepEqual((await images.find([row.key])).get(row.key), known);
  }
});
