import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { openSource } from '#sources/open-source.ts';
import { ended, startVlmo } from '../cli/cli-fixture.ts';
import { untilCaptions } from '../cli/commits.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { TAR_END, tarFile } from '../sources/tar-file.ts';
import { counted, passTime } from './counted.ts';
import { drawPicture } from './pictures.ts';
import { type Engine, type Index, openIndex, startEngine } from './pipeline-fixture.ts';

/** A change within it might not show. */
const GRAIN_MS = 2000;
/** With their captions more than one commit takes. */
const COUNT = 1100;

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());

async function files(count: number): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (let n = 0; n < count; n++)
    parts.push(tarFile(`${n}.png`, await drawPicture(n)), tarFile(`${n}.txt`, `no. ${n}`));
  return parts;
}

async function indexedAt(index: Index): Promise<Record<string, number>> {
  return Object.fromEntries((await index.images()).map((row) => [row.id, row.indexedAt.getTime()]));
}

describe('pictures of tars that have not changed', { timeout: 120_000 }, () => {
  for (const [name, pack] of [
    ['x.tar', (bytes: Buffer) => bytes],
    ['x.tar.gz', gzipSync],
  ] as const)
    test(`${name}: none is read again, a broken one neither; once more where the tar is another one`, async (t) => {
      const folder = await temporaryFolder(t);
      await using index = await openIndex(join(folder, 'index'), engine);
      const path = join(folder, name);
      const parts = [...(await files(3)), tarFile('broken.png', 'none')];
      await writeFile(path, pack(Buffer.concat([...parts, TAR_END])));
      passTime(t);
      const all = ['0.png', '1.png', '2.png', 'broken.png'];
      const first = await counted(engine, index, await openSource(path));
      assert.deepEqual([first.read, first.summary.stored, first.summary.failed], [all, 6, 1]);
      const again = await counted(engine, index, await openSource(path));
      assert.deepEqual([again.read, again.embedded], [[], 0]);
      assert.deepEqual([again.summary.stored, again.summary.skipped, again.summary.knownFailures], [0, 6, 1]);
      const before = await indexedAt(index);

      const more = tarFile('more.png', await drawPicture(9));
      await writeFile(path, pack(Buffer.concat([...parts, more, TAR_END])));
      const grown = await counted(engine, index, await openSource(path));
      assert.deepEqual([grown.read, grown.summary.stored], [[...all, 'more.png'], 1]);
      const { [`${name}/more`]: added, ...same } = await indexedAt(index);
      assert.ok(added);
      assert.deepEqual(same, before, 'their rows say what they said');
    });

  test('after kill -9 in the middle of a tar no stored picture is read again', async (t) => {
    const folder = await temporaryFolder(t);
    const [tar, place] = [join(folder, 'x.tar'), join(folder, 'index')];
    const pictures = await Promise.all(Array.from({ length: 10 }, (_, n) => drawPicture(n)));
    const parts = Array.from({ length: COUNT }, (_, n) =>
      Buffer.concat([tarFile(`${n}.png`, pictures[n % 10] ?? ''), tarFile(`${n}.txt`, `no. ${n}`)]),
    );
    await writeFile(tar, Buffer.concat([...parts, TAR_END]));
    await delay(GRAIN_MS + 100);
    const args = ['index', tar, '--index', place, '--model', engine.model.path, '--batch-size', '8'];
    const child = startVlmo(args);
    // Captions come after the pictures that they describe.
    assert.ok(await untilCaptions(place, child));
    child.kill('SIGKILL');
    await ended(child);

    await using index = await openIndex(place, engine);
    const before = (await index.images()).map(({ id }) => id);
    assert.ok(before.length > 0 && before.length < COUNT, `${before.length} stored when it was killed`);
    const { read, summary } = await counted(engine, index, await openSource(tar));
    assert.equal(summary.state, 'complete');
    assert.deepEqual(
      read.filter((name) => before.includes(`x.tar/${name.replace('.png', '')}`)),
      [],
    );
    assert.equal(read.length, COUNT - before.length);
    assert.equal((await index.images()).length, COUNT);
  });
});
