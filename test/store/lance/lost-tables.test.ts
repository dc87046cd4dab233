import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { INDEX_FORMAT } from '#store/lance/index-folder.ts';
import { openStore } from '#store/lance/open-store.ts';
import { renewTables } from '#store/lance/renew-tables.ts';
import { failureRecord, generationSpec, imageRow, temporaryFolder, unitVectors } from './store-fixture.ts';

const TABLES = ['generations', 'collections', 'failures', 'runs', 'chunks', 'chunk_results'];
const WAYS = [{ create: false }, { create: false, write: true }, { create: true }] as const;

async function madeIndex(t: TestContext): Promise<string> {
  const index = join(await temporaryFolder(t), 'index');
  await using store = await openStore(index, { create: true });
  const { images } = await store.openGeneration(generationSpec());
  await images.upsert({ rows: [imageRow('a')], vectors: unitVectors(1, 4) });
  return index;
}

/** Opens an index as every command does, and reads what a run reads of it. */
async function openAndRead(index: string, way: (typeof WAYS)[number]): Promise<void> {
  await using store = await openStore(index, way);
  await store.collections();
  await store.generations();
  await store.failures.count();
  for await (const _ of store.failures.scan()) break;
  for await (const _ of store.runs.scan()) break;
  await store.ledger.tally('none');
}

describe('a table that an index had', () => {
  for (const name of TABLES) {
    test(`${name}: gone, it is said to be, whoever opens the index, and not made anew`, async (t) => {
      const index = await madeIndex(t);
      await rm(join(index, 'lance', `${name}.lance`), { recursive: true });
      for (const way of WAYS) {
        const said = {
          code: 'STORE_TABLE_LOST',
          message: new RegExp(`"${name}" is gone.*vlmo doctor --index`),
        };
        await assert.rejects(openAndRead(index, way), said, JSON.stringify(way));
        assert.ok(!(await readdir(join(index, 'lance'))).includes(`${name}.lance`));
      }
    });

    test(`${name}: damaged, it is said to be`, async (t) => {
      const index = await madeIndex(t);
      const place = join(index, 'lance', `${name}.lance`);
      const copy = `${index}-copy`;
      for (const damage of ['cut', 'empty', 'without versions']) {
        await rm(copy, { recursive: true, force: true });
        await cp(index, copy, { recursive: true });
        const versions = join(copy, 'lance', `${name}.lance`, '_versions');
        for (const file of await readdir(join(place, '_versions'))) {
          const bytes = await readFile(join(versions, file));
          const kept = damage === 'cut' ? bytes.subarray(0, bytes.length / 2) : new Uint8Array();
          if (damage === 'without versions') await rm(join(versions, file));
          else await writeFile(join(versions, file), kept);
        }
        for (const way of WAYS) {
          const error = await openAndRead(copy, way).then(
            () => assert.fail(`${damage}: opened ${JSON.stringify(way)}`),
            (reason: unknown) => reason,
          );
          assert.ok(error instanceof VlmoError, `${damage} ${String(error)}`);
          assert.match(error.code, /^STORE_(TABLE_LOST|READ_FAILED)$/, damage);
          assert.ok(error.message.includes(`"${name}"`), error.message);
        }
      }
    });
  }

  test('all of them: an index that was made once is not made anew', async (t) => {
    const index = await madeIndex(t);
    await rm(join(index, 'lance'), { recursive: true });
    for (const way of WAYS) await assert.rejects(openAndRead(index, way), { code: 'STORE_TABLE_LOST' });
  });

  test('never made, since whoever made the index was killed: the next one makes it', async (t) => {
    const whole = await madeIndex(t);
    const { id } = JSON.parse(await readFile(join(whole, 'vlmo-index.json'), 'utf8')) as { id: string };
    for (let count = 0; count < TABLES.length; count++) {
      const index = `${whole}-${count}`;
      await mkdir(join(index, 'lance'), { recursive: true });
      await writeFile(join(index, 'vlmo-index.json'), JSON.stringify({ format: INDEX_FORMAT, id }));
      const empty = `${whole}-empty`;
      await (await openStore(empty, { create: true })).close();
      for (const name of TABLES.slice(0, count))
        await cp(join(empty, 'lance', `${name}.lance`), join(index, 'lance', `${name}.lance`), {
          recursive: true,
        });
      await assert.rejects(openAndRead(index, { create: false }), { code: 'STORE_NOT_FOUND' });
      await openAndRead(index, { create: true });
      await openAndRead(index, { create: false });
    }
  });

  test('renewTables makes those of runs and failures anew, and no other', async (t) => {
    const index = await madeIndex(t);
    const lance = join(index, 'lance');
    await writeFile(
      join(index, 'vlmo-index.json'),
      JSON.stringify({ ...(await marker(index)), later: 'kept' }),
    );
    assert.deepEqual(await renewTables(index), []);
    for (const name of ['failures', 'chunk_results'])
      await rm(join(lance, `${name}.lance`), { recursive: true });
    for (const file of await readdir(join(lance, 'runs.lance', '_versions')))
      await writeFile(join(lance, 'runs.lance', '_versions', file), '');
    const said = { message: /vlmo doctor --index .* --renew-tables/ };
    await assert.rejects(openAndRead(index, { create: false }), said);
    assert.deepEqual((await renewTables(index)).toSorted(), ['chunk_results', 'failures', 'runs']);
    assert.match((await readdir(join(index, 'damaged'))).join(' '), /^runs\.lance\.\d+$/);
    for (const way of WAYS) await openAndRead(index, way);
    {
      await using store = await openStore(index, { create: false, write: true });
      const { images } = await store.tables((await store.activeGeneration('default')) ?? assert.fail());
      assert.equal(await images.count(), 1);
      await store.failures.upsert([failureRecord('b')]);
      await store.failures.upsert([failureRecord('b')]);
      assert.equal(await store.failures.count(), 1);
    }
    assert.equal((await marker(index)).later, 'kept');
    await rm(join(lance, 'failures.lance'), { recursive: true });
    await rm(join(lance, 'generations.lance'), { recursive: true });
    await assert.rejects(renewTables(index), {
      code: 'STORE_TABLE_LOST',
      message: /"generations".*index anew/,
    });
    assert.ok(!(await readdir(lance)).includes('failures.lance'));
  });
});

async function marker(index: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(index, 'vlmo-index.json'), 'utf8')) as Record<string, unknown>;
}
