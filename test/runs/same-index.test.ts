import assert from 'node:assert/strict';
import { cp, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Beat } from '#queue/heartbeat.ts';
import { requireSameIndex } from '#runs/same-index.ts';
import { dropSigns, keepSign, type Sign } from '#runs/worker-sign.ts';
import { temporaryFolder } from '../fixtures/files.ts';

const LOOK_MS = 600;

/** A worker of another machine: no file there is told from one here by its number. */
function elsewhere({ worker, says }: Beat): Beat {
  return { worker, says: JSON.stringify({ ...(JSON.parse(says) as Sign), boot: 'another machine' }) };
}

describe('requireSameIndex', () => {
  test('one index, also seen by another path, is one; without a worker, every index is', async (t) => {
    const folder = await temporaryFolder(t);
    const index = join(folder, 'index');
    await mkdir(index);
    await symlink(index, join(folder, 'link'));
    await using sign = keepSign(index);
    const beat = await sign.next();
    for (const path of [index, join(folder, 'link'), join(folder, 'link', '..', 'index')])
      for (const heard of [beat, elsewhere(beat)]) await requireSameIndex(path, async () => [heard], LOOK_MS);
    await requireSameIndex(join(folder, 'other'), async () => [], LOOK_MS);
    await requireSameIndex(
      join(folder, 'other'),
      async () => [{ worker: 'w', says: 'of another version' }],
      0,
    );
  });

  test('a copy is told from the original, on the same machine and on another, with both places and the way out', async (t) => {
    const folder = await temporaryFolder(t);
    const [index, copy] = [join(folder, 'index'), join(folder, 'copy')];
    await mkdir(index);
    await using sign = keepSign(index);
    await sign.next();
    await cp(index, copy, { recursive: true, preserveTimestamps: true });
    const expected = {
      code: 'INDEX_COPIED',
      message: new RegExp(
        `"${copy}" on ".+": a worker on ".+" works on another copy of it, "${index}".+doctor --index ${copy} --new-id`,
      ),
    };
    let beat = await sign.next();
    await assert.rejects(
      requireSameIndex(copy, async () => [beat], LOOK_MS),
      expected,
    );
    await assert.rejects(
      requireSameIndex(copy, async () => [elsewhere(beat)], LOOK_MS),
      expected,
    );
    // Copied a moment ago: the counter is the same, the file is not.
    await rm(copy, { recursive: true });
    await cp(index, copy, { recursive: true, preserveTimestamps: true });
    const before = beat;
    await assert.rejects(
      requireSameIndex(copy, async () => [before], LOOK_MS),
      expected,
    );
    beat = await sign.next();
    await requireSameIndex(index, async () => [beat], LOOK_MS);
  });

  test('put back in place from a copy, the index goes on at the next beat', async (t) => {
    const folder = await temporaryFolder(t);
    const [index, backup] = [join(folder, 'index'), join(folder, 'backup')];
    await mkdir(index);
    await cp(index, backup, { recursive: true });
    await using sign = keepSign(index);
    let beat = await sign.next();
    await rm(index, { recursive: true });
    await rename(backup, index);
    const looking = requireSameIndex(index, async () => [beat], 5000);
    beat = await sign.next();
    await looking;
  });

  test('a folder that cannot be written proves nothing; what killed workers left goes', async (t) => {
    const folder = await temporaryFolder(t);
    const gone = join(folder, 'not there');
    await using lost = keepSign(gone);
    const beat = await lost.next();
    await requireSameIndex(folder, async () => [beat], 0);
    const [dead, live] = [keepSign(folder), keepSign(folder)];
    const [was, is] = [await dead.next(), await live.next()];
    await dropSigns(folder, [is]);
    await requireSameIndex(folder, async () => [is], 0);
    await assert.rejects(
      requireSameIndex(folder, async () => [was], 0),
      { code: 'INDEX_COPIED' },
    );
  });
});
