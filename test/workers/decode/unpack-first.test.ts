import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { withLock } from '#lock-file.ts';
import { squashed } from '#pictures/picture-spec.ts';
import { unpackedPath } from '#pictures/unpacked-tar.ts';
import { openSource } from '#sources/open-source.ts';
import { createPreprocessPool } from '#workers/decode/preprocess-pool.ts';
import type { PictureOutcome, PreprocessSetup } from '#workers/decode/protocol.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { drawPicture } from '../../pipeline/pictures.ts';
import { TAR_END, tarFile } from '../../sources/tar-file.ts';

const TIMEOUT_SECONDS = 1;

/** A packed tar of two pictures, where they lie, and what becomes of them in a pool of one process. */
async function scene(t: TestContext) {
  const folder = await temporaryFolder(t);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  const tar = join(folder, 'x.tar.gz');
  const parts = [tarFile('1.png', await drawPicture(1)), tarFile('2.png', await drawPicture(2)), TAR_END];
  await writeFile(tar, gzipSync(Buffer.concat(parts)));
  const uris: string[] = [];
  for await (const item of (await openSource(tar)).items()) uris.push(item.uri);
  const setup: PreprocessSetup = {
    spec: squashed([16, 16]),
    mode: 'fast',
    maxPixels: 1e6,
    maxImageBytes: 1e6,
    timeoutSeconds: TIMEOUT_SECONDS,
  };
  const run = async (): Promise<PictureOutcome[]> => {
    await using pool = createPreprocessPool(setup, 1);
    const pictures = uris.map((uri) => ({ uri, storedSha256: null, failedSha256: null }));
    return await pool.run({ pixels: new SharedArrayBuffer(2 * 3 * 16 * 16), firstSlot: 0, pictures });
  };
  return { tar, copy: unpackedPath(tar), run };
}

test('the time that a tar takes to be unpacked is not that of its pictures', async (t) => {
  const { copy, run } = await scene(t);
  // As on a worker of another machine, that is slow.
  await rm(copy);
  const held = withLock(`${copy}.lock`, () => delay(2500 * TIMEOUT_SECONDS));
  assert.deepEqual(
    (await run()).map(({ kind }) => kind),
    ['ready', 'ready'],
  );
  await held;
});

test('pictures of a packed tar that is gone, or is another one by now, are said to be, and may come again', async (t) => {
  const { tar, run } = await scene(t);
  await rm(tar);
  const gone = await run();
  for (const outcome of gone)
    assert.ok(
      outcome.kind === 'failed' && outcome.error.code === 'ITEM_NOT_FOUND' && outcome.sha256 === null,
    );
  await writeFile(tar, gzipSync(Buffer.concat([tarFile('other.png', await drawPicture(1)), TAR_END])));
  for (const outcome of await run())
    assert.ok(outcome.kind === 'failed' && outcome.error.code === 'ITEM_NOT_FOUND');
});
