import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { fixture } from '../fixtures/files.ts';
import { vlmoJson } from './cli-fixture.ts';
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
});
