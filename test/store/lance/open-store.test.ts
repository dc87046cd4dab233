import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { openStore } from '#store/lance/open-store.ts';
import {
  closeAfter,
  generationSpec,
  imageRow,
  temporaryFolder,
  temporaryStore,
  unitVectors,
} from './store-fixture.ts';

test('openStore without create refuses what is no index, says what to run and makes nothing', async (t) => {
  const folder = await temporaryFolder(t);
  for (const uri of [folder, join(folder, 'missing')]) {
    await assert.rejects(openStore(uri, { create: false }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'STORE_NOT_FOUND');
      assert.match(error.message, /first run: vlmo index SOURCE --index .*vlmo-store-/);
      return true;
    });
  }
  assert.deepEqual(await readdir(folder), []);
});

test('openStore takes over an empty folder, hidden files aside, and no other', async (t) => {
  const folder = await temporaryFolder(t);
  const empty = join(folder, 'empty');
  await mkdir(empty);
  await writeFile(join(empty, '.gitignore'), '*');
  await (await openStore(empty, { create: true })).close();
  const photos = join(folder, 'photos');
  await mkdir(photos);
  await writeFile(join(photos, 'cat.jpg'), 'x');
  await assert.rejects(openStore(photos, { create: true }), {
    code: 'STORE_FOLDER_OCCUPIED',
    message: /"cat.jpg"/,
  });
  assert.deepEqual(await readdir(photos), ['cat.jpg']);
});

test('openStore refuses an index of a newer format and a broken marker', async (t) => {
  const folder = await temporaryFolder(t);
  for (const text of ['{"format": 99}', '{}', 'not json', '']) {
    await writeFile(join(folder, 'vlmo-index.json'), text);
    await assert.rejects(openStore(folder, { create: true }), { code: 'STORE_VERSION_UNSUPPORTED' });
    await assert.rejects(openStore(folder, { create: false }), { code: 'STORE_VERSION_UNSUPPORTED' });
  }
});

test('openStore completes an index whose maker was killed right after the marker', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'vlmo-index.json'), '{"format": 1}');
  await assert.rejects(openStore(folder, { create: false }), { code: 'STORE_NOT_FOUND' });
  await (await openStore(folder, { create: true })).close();
  await (await openStore(folder, { create: false })).close();
});

test('openStore takes a path, a file URL and a folder with odd characters, but no other URL', async (t) => {
  const folder = join(await temporaryFolder(t), "it's 100% ü #1?");
  await (await openStore(folder, { create: true })).close();
  const store = await openStore(pathToFileURL(folder).href, { create: false });
  assert.equal(store.uri, folder);
  await store.close();
  await assert.rejects(openStore('s3://bucket/index', { create: true }), /expected a folder, received a URL/);
});

test('Store keeps its generations and the first of a collection becomes active', async (t) => {
  const folder = join(await temporaryFolder(t), 'index');
  const store = await openStore(folder, { create: true });
  assert.equal(await store.activeGeneration('default'), undefined);
  const { record: first } = await store.openGeneration(generationSpec());
  const { record: second } = await store.openGeneration(generationSpec({ fingerprint: 'f'.repeat(32) }));
  const { record: cats } = await store.openGeneration(generationSpec({ collection: 'cats_1-a' }));
  assert.equal(first.name, 'default.0123456789ab');
  assert.deepEqual(await store.activeGeneration('default'), first);
  await store.activate(second);
  await store.close();

  const again = closeAfter(t, await openStore(folder, { create: false }));
  assert.deepEqual(await again.activeGeneration('default'), second);
  assert.deepEqual(await again.activeGeneration('cats_1-a'), cats);
  assert.deepEqual(await again.collections(), ['cats_1-a', 'default']);
  assert.deepEqual(
    (await again.generations()).map(({ name }) => name).sort(),
    [cats, first, second].map(({ name }) => name).sort(),
  );
  assert.deepEqual((await again.openGeneration(generationSpec())).record, first, 'opening again finds it');
  assert.equal((await again.generations()).length, 3);
});

test('Store.openGeneration refuses unusable collections and two models under one name', async (t) => {
  const store = await temporaryStore(t);
  const names = ['', 'a'.repeat(65), 'a/b', '../x', 'a.b', 'é', 'a b', "it's"];
  for (const collection of names) {
    await assert.rejects(store.openGeneration(generationSpec({ collection })), {
      code: 'STORE_COLLECTION_INVALID',
    });
  }
  await store.openGeneration(generationSpec({ collection: 'Cats' }));
  const sameFolder = store.openGeneration(generationSpec({ collection: 'cats' }));
  await assert.rejects(sameFolder, { code: 'STORE_COLLECTION_INVALID', message: /upper and lower case/ });
  const otherModel = generationSpec({ collection: 'Cats', fingerprint: `0123456789ab${'0'.repeat(20)}` });
  await assert.rejects(store.openGeneration(otherModel), { code: 'STORE_GENERATION_CONFLICT' });
  const otherSize = generationSpec({ collection: 'Cats', dimensions: 5 });
  await assert.rejects(store.openGeneration(otherSize), { code: 'STORE_GENERATION_CONFLICT' });
});

test('Store.tables of a generation whose files are gone says which table is missing', async (t) => {
  const folder = join(await temporaryFolder(t), 'index');
  const store = await openStore(folder, { create: true });
  const { record } = await store.openGeneration(generationSpec());
  await store.close();
  await rm(join(folder, 'lance', `${record.name}.images.lance`), { recursive: true });
  const again = closeAfter(t, await openStore(folder, { create: false }));
  const gone = { code: 'STORE_TABLE_LOST', message: /index.*default\.0123456789ab\.images/ };
  await assert.rejects(again.tables(record), gone);
  await assert.rejects(again.openGeneration(generationSpec()), gone, 'nor is it made anew to be written');
});

test('Store.close waits for writes and ends the store', async (t) => {
  const folder = join(await temporaryFolder(t), 'index');
  const store = await openStore(folder, { create: true });
  const { images } = await store.openGeneration(generationSpec());
  const written = images.upsert({ rows: [imageRow('a')], vectors: unitVectors(1, 4) });
  await Promise.all([store.close(), written]);
  await store.close(); // again is harmless
  await assert.rejects(images.count(), { code: 'STORE_READ_FAILED' });
  const again = closeAfter(t, await openStore(folder, { create: false }));
  const [record] = await again.generations();
  assert.ok(record);
  assert.equal(await (await again.tables(record)).images.count(), 1);
});
