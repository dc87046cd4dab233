import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { TAR_END, tarFile } from '../sources/tar-file.ts';
import { ended, startVlmo, vlmoJson } from './cli-fixture.ts';
import { openScene, startSuite } from './queue-suite.ts';
import { assertSame, readTables } from './tables.ts';

const suite = await startSuite({ after });

interface Summary {
  readonly stored: number;
  readonly skipped: number;
  readonly failed: number;
}

describe('tars', { timeout: 300_000 }, () => {
  test('through both doors the same rows and failures; a second run stores nothing', async (t) => {
    await using scene = await openScene(t, suite);
    const source = fixture('layouts/webdataset');
    const direct = `${scene.index}-direct`;
    const args = ['index', source, '--index', direct, '--model', suite.model, '--json'];
    const [first] = (await vlmoJson<Summary>(args, 2)).lines;
    assert.deepEqual([first?.stored, first?.failed], [12 + 18, 3]);
    const { run } = await scene.submit(source);
    scene.worker();
    const { stored, failed } = await scene.complete(run);
    assert.deepEqual([stored, failed], [30, 3]);
    const tables = await readTables(direct);
    assertSame(await readTables(scene.index), tables);
    assert.deepEqual(
      tables.failures.map(({ id }) => id),
      ['00000.tar/broken-0', '00001.tar/broken-4', '00002.tar.gz/broken-8'],
    );
    const [second] = (await vlmoJson<Summary>(args, 2)).lines;
    assert.deepEqual([second?.stored, second?.skipped, second?.failed], [0, 30, 3]);
  });

  test('killed in the middle of a tar, a second run finishes it and reads no stored picture again', async (t) => {
    const folder = await temporaryFolder(t);
    const [tar, index] = [join(folder, 'x.tar'), join(folder, 'index')];
    const parts: Buffer[] = [];
    for (let n = 0; n < 400; n++) parts.push(tarFile(`${n}.png`, await drawPicture(n)));
    await writeFile(tar, Buffer.concat([...parts, TAR_END]));
    const args = ['index', tar, '--index', index, '--model', suite.model, '--batch-size', '8', '--json'];
    const child = startVlmo(args);
    let count = 0;
    for (let tried = 0; count === 0 && tried < 600; tried++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const ran = await vlmoJson<{ images?: number }>(['status', '--index', index, '--json'], 0).catch(
        () => undefined,
      );
      count = Number(ran?.lines.find((line) => (line.images ?? 0) > 0)?.images ?? 0);
      if (child.exitCode !== null) break;
    }
    child.kill('SIGKILL');
    await ended(child);
    const [finished] = (await vlmoJson<Summary>(args)).lines;
    assert.equal((finished?.stored ?? 0) + (finished?.skipped ?? 0), 400);
    assert.equal(new Set((await readTables(index)).images.map(({ id }) => id)).size, 400);
  });
});
