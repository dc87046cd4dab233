import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { connect } from '@lancedb/lancedb';
import { Field, makeData, RecordBatch, Schema, Struct, Table, Utf8, vectorFromArray } from 'apache-arrow';
import { parseFilter } from '#search/filter/filter.ts';
import { openStore } from '#store/lance/open-store.ts';
import { generationSpec, imageRow, temporaryFolder, unitVectors } from './store-fixture.ts';

/** Writes `meta_fields` as format 3 had them, and says that the index is of it. */
async function degrade(
  index: string,
  table: string,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  const connection = await connect(join(index, 'lance'));
  const json = new Map([['ARROW:extension:name', 'arrow.json']]);
  const schema = new Schema([
    new Field('id', new Utf8(), false),
    new Field('meta_fields', new Utf8(), false, json),
  ]);
  const columns = [Object.keys(fields), Object.values(fields)];
  const children = columns.map((values) => vectorFromArray(values, new Utf8()).data[0] ?? assert.fail());
  const data = makeData({
    type: new Struct(schema.fields),
    length: columns[0]?.length ?? 0,
    nullCount: 0,
    children,
  });
  const lance = await connection.openTable(table);
  await lance
    .mergeInsert(['id'])
    .whenMatchedUpdateAll()
    .execute(new Table(schema, new RecordBatch(schema, data)));
  connection.close();
  const marker = join(index, 'vlmo-index.json');
  const { id } = JSON.parse(await readFile(marker, 'utf8')) as { readonly id: string };
  await writeFile(marker, JSON.stringify({ format: 3, id }));
}

test('openStore brings fields that filters read up to date, without touching rows or vectors', async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  const rows = [
    imageRow('list', { meta: { v: ['red', 5] } }),
    imageRow('spelled', { meta: { v: '2020.0' } }),
    imageRow('number', { meta: { v: 2020 } }),
  ];
  const vectors = unitVectors(3, 4);
  {
    await using store = await openStore(index, { create: true });
    const { images, record } = await store.openGeneration(generationSpec());
    await images.upsert({ rows, vectors });
    const old = { list: '{"o/v":true}', spelled: '{"s/v":"2020.0"}', number: '{"n/v":2020}' };
    await degrade(index, `${record.name}.images`, old);
  }
  const expected: readonly (readonly [string, string, string])[] = [
    ["meta.v = 'red'", '', 'list'],
    ['meta.v = 2020', 'number', 'number spelled'],
    ["meta.v = '2020'", 'number', 'number'],
    ["meta.v LIKE '20%'", 'spelled', 'number spelled'],
    ['meta.v IS NOT NULL', 'list number spelled', 'list number spelled'],
  ];
  for (const write of [false, true]) {
    await using store = await openStore(index, { create: false, write });
    const { images } = await store.tables((await store.generations())[0] ?? assert.fail());
    for (const [text, before, after] of expected) {
      const found: string[] = [];
      for await (const { id } of images.scan(parseFilter(text, 'image'))) found.push(id);
      assert.equal(found.sort().join(' '), write ? after : before, text);
    }
    const { key } = imageRow('list');
    assert.deepEqual((await images.find([key, imageRow('spelled').key])).get(key), rows[0]);
    const [best] = await images.nearest(vectors.subarray(8, 12), { k: 1 });
    assert.equal(best?.row.id, 'number');
  }
});
