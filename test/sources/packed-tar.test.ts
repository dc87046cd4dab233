import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import type { Item } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { TAR_END, tarFile } from './tar-file.ts';

const LAYOUTS = fixture('layouts');
/** With the checksum that the program zstd writes. */
function zstd(bytes: Uint8Array): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

/** What a skippable frame of zstd holds is no content. */
const SKIPPABLE = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from('abc')]);

/** A folder whose copies are its own, and gone with it. */
async function scene(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  return folder;
}

async function read(path: string) {
  const items: Item[] = [];
  for await (const item of (await openSource(path)).items()) items.push(item);
  return {
    captions: items.flatMap((item) => (item.kind === 'caption' ? [item.caption] : [])),
    broken: items.flatMap((item) => (item.kind === 'broken' ? [item] : [])),
  };
}

/** Texts of 2 kB that pack to no less. */
function tarOf(count: number): { bytes: Buffer; texts: string[] } {
  const texts = Array.from({ length: count }, () =>
    Buffer.from(crypto.getRandomValues(new Uint8Array(1000))).toString('hex'),
  );
  const files = texts.map((text, n) => tarFile(`${n}.txt`, text));
  return { bytes: Buffer.concat([...files, TAR_END]), texts };
}

for (const [ending, pack] of [
  ['tar.gz', gzipSync],
  ['tar.zst', zstd],
] as const) {
  test(`${ending} packed in parts, as those do who pack in parallel, is read to its end`, async (t) => {
    const { bytes, texts } = tarOf(200);
    const parts = [0, 100_000, 100_512, 300_000].map((at, n, all) => pack(bytes.subarray(at, all[n + 1])));
    const skipped = ending === 'tar.zst' ? [SKIPPABLE] : [];
    const path = join(await scene(t), `x.${ending}`);
    await writeFile(path, Buffer.concat([...skipped, ...parts, ...skipped]));
    const { captions, broken } = await read(path);
    assert.deepEqual([captions.length, broken], [200, []]);
    assert.ok(captions.every((caption, n) => caption === texts[n]));
  });

  test(`${ending} that is cut or damaged gives what comes before, and says so each time`, async (t) => {
    const { bytes, texts } = tarOf(200);
    const folder = await scene(t);
    const packed = pack(bytes);
    const flipped = Buffer.from(packed);
    flipped[packed.length - 2] = ~(flipped[packed.length - 2] ?? 0);
    for (const [name, content] of [
      ['cut', packed.subarray(0, packed.length / 2)],
      ['flipped', flipped],
    ] as const) {
      const path = join(folder, `${name}.${ending}`);
      await writeFile(path, content);
      for (let again = 0; again < 2; again++) {
        const { captions, broken } = await read(path);
        assert.ok(captions.length > 30, `${captions.length}`);
        assert.ok(captions.every((caption, n) => caption === texts[n]));
        const [last] = broken.slice(-1);
        assert.equal(last?.id, `${name}.${ending}`);
        assert.equal(last?.error.code, 'TAR_DAMAGED');
        assert.match(last?.error.message ?? '', /expected it whole, received damage behind byte \d+/);
      }
    }
  });
}

test('tar.xz of two streams is read to its end', async (t) => {
  await scene(t);
  const { captions, broken } = await read(join(LAYOUTS, 'two-streams.tar.xz'));
  assert.deepEqual([captions.length, broken], [6, []]);
});

for (const ending of ['tar.gz', 'tgz', 'tar.zst', 'tar.xz'])
  test(`${ending} of nothing, and of something else, are listed`, async (t) => {
    const folder = await scene(t);
    for (const content of ['', 'no tar at all']) {
      const path = join(folder, `x${content.length}.${ending}`);
      await writeFile(path, content);
      const { captions, broken } = await read(path);
      assert.deepEqual([captions.length, broken.length, broken[0]?.error.code], [0, 1, 'TAR_DAMAGED']);
      if (content === '') assert.match(broken[0]?.error.message ?? '', /received 0 bytes/);
    }
  });

test('copies lie where this user alone writes, once for each content; leftovers go', async (t) => {
  const folder = await scene(t);
  const path = join(folder, 'x.tar.gz');
  await writeFile(path, gzipSync(tarOf(3).bytes));
  await read(path);
  await read(path);
  const kept = join(folder, `vlmo-unpacked-${userInfo().uid}`);
  assert.equal((await readdir(kept)).length, 1);
  const [name = ''] = await readdir(kept);
  assert.equal((await readFile(join(kept, name))).length, tarOf(3).bytes.length);
  await writeFile(path, gzipSync(tarOf(4).bytes));
  assert.equal((await read(path)).captions.length, 4);
  assert.equal((await readdir(kept)).length, 2);

  await chmod(kept, 0o777);
  await assert.rejects(read(path), vlmoError('MACHINE_FAILED', 'this user alone writes to'));
});

test('a link in the place of the folder for copies is not followed', async (t) => {
  const folder = await scene(t);
  const elsewhere = join(folder, 'elsewhere');
  await mkdir(elsewhere);
  await symlink(elsewhere, join(folder, `vlmo-unpacked-${userInfo().uid}`));
  const path = join(folder, 'x.tar.gz');
  await writeFile(path, gzipSync(tarOf(1).bytes));
  await assert.rejects(read(path), vlmoError('MACHINE_FAILED', 'TMPDIR names another place'));
  assert.deepEqual(await readdir(elsewhere), []);
});
