import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ImageRecord, VectorTable } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { seededRandom } from '../../fixtures/files.ts';
import {
  closeAfter,
  generationSpec,
  imageKeys,
  imageRow,
  temporaryFolder,
  unitVectors,
} from './store-fixture.ts';

const WRITER = fileURLToPath(new URL('./endless-writer.ts', import.meta.url));

function startWriter(index: string, shell = ''): ChildProcess {
  const command = `${shell} exec "${process.execPath}" "${WRITER}" "$1"`;
  return spawn('sh', ['-c', command, 'writer', index], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = child.exitCode === null ? once(child, 'exit') : undefined;
  child.kill('SIGKILL');
  await ended;
}

/** Waits until the child printed a line that matches; false where it ended without. */
async function printed(child: ChildProcess, pattern: RegExp): Promise<string | undefined> {
  assert.ok(child.stdout);
  for await (const line of createInterface({ input: child.stdout })) if (pattern.test(line)) return line;
  return undefined;
}

async function assertWhole(images: VectorTable<ImageRecord>): Promise<void> {
  const ids: string[] = [];
  for await (const row of images.scan()) ids.push(row.key);
  assert.equal(new Set(ids).size, ids.length, 'no key twice');
  assert.equal(await images.count(), ids.length);
  const found = await images.find(ids);
  assert.equal(found.size, ids.length);
}

test('a writer killed at any moment leaves a store that reads and goes on', {
  timeout: 120_000,
}, async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  const seed = Date.now();
  t.diagnostic(`moments by seed ${seed}`);
  const random = seededRandom(seed);
  for (let round = 0; round < 5; round++) {
    const child = startWriter(index);
    // Rounds 0 and 1 die while the store is made, the others somewhere in the middle of the writes.
    if (round > 1) assert.ok(await printed(child, /^committed [0-9]/));
    await new Promise((resolve) => setTimeout(resolve, (round > 1 ? 0 : 150) + random() * 400));
    await stop(child);
    const store = await openStore(index, { create: true });
    const { images } = await store.openGeneration(generationSpec());
    await assertWhole(images);
    if (round > 1) assert.ok((await images.count()) >= 200, 'what was committed is still there');
    await images.upsert({ rows: [imageRow('0'), imageRow(`after-${round}`)], vectors: unitVectors(2, 4) });
    assert.equal((await images.find(imageKeys([`after-${round}`]))).size, 1);
    await images.optimize();
    await assertWhole(images);
    await store.close();
  }
});

test('a reader sees the commits of another process, and scans on while it optimises', {
  timeout: 60_000,
}, async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  const child = startWriter(index);
  closeAfter(t, { [Symbol.asyncDispose]: () => stop(child) });
  assert.ok(await printed(child, /^committed 0/));
  const store = closeAfter(t, await openStore(index, { create: false }));
  const record = await store.activeGeneration('default');
  assert.ok(record);
  const { images } = await store.tables(record);
  const scan = images.scan()[Symbol.asyncIterator]();
  assert.equal((await scan.next()).done, false);
  // The writer ends at 1,100 rows after ten commits, and replaces and optimises from then on.
  let rows = await images.count();
  while (rows < 1100) {
    const now = await images.count();
    assert.ok(now >= rows, 'the view never goes back');
    rows = now;
  }
  const optimised = performance.now() + 1500;
  while (performance.now() < optimised) {
    assert.equal((await images.find(imageKeys(['0', '1099']))).size, 2);
    assert.equal((await images.nearest(unitVectors(1, 4), { k: 5 })).length, 5);
    assert.equal(await images.count(), 1100);
  }
  while ((await scan.next()).done !== true);
});

test('a write that the disk refuses is STORE_WRITE_FAILED, retriable, and loses nothing', {
  timeout: 60_000,
}, async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  const store = closeAfter(t, await openStore(index, { create: true }));
  const { images } = await store.openGeneration(generationSpec());
  await images.upsert({ rows: [imageRow('kept')], vectors: unitVectors(1, 4) });
  // A limit on the size of files is the disk that is full, for one process: 4 blocks of 512 bytes.
  const child = startWriter(index, 'ulimit -f 4;');
  const line = await printed(child, /STORE_/);
  assert.match(
    line ?? 'no error',
    /^STORE_WRITE_FAILED true Cannot write table "default\.0123456789ab\.images" in ".*index": /,
  );
  assert.equal((await images.find(imageKeys(['kept']))).size, 1);
  await images.upsert({ rows: [imageRow('later')], vectors: unitVectors(1, 4) });
  assert.equal(await images.count(), 2);
});

test('a read that the disk refuses is STORE_READ_FAILED with the path and the cause', async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  const store = closeAfter(t, await openStore(index, { create: true }));
  const { images } = await store.openGeneration(generationSpec());
  await images.upsert({ rows: [imageRow('a')], vectors: unitVectors(1, 4) });
  const table = join(index, 'lance', 'default.0123456789ab.images.lance');
  await rename(table, `${table}.gone`);
  await writeFile(table, '');
  const reads = [
    () => images.find(imageKeys(['a'])),
    () => images.count(),
    () => images.nearest(unitVectors(1, 4), { k: 1 }),
  ];
  for (const read of reads) {
    await assert.rejects(read, (error: Error & { code?: string }) => {
      assert.equal(error.code, 'STORE_READ_FAILED');
      assert.ok(error.message.includes(index));
      assert.ok(error.cause instanceof Error);
      return true;
    });
  }
});
