import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures } from '../pipeline/pictures.ts';
import { ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { countCommits, untilCommits } from './commits.ts';

interface Summary {
  readonly generation: string;
  readonly stored: number;
}

/** The model that serves, by the message for another one. */
async function serving(index: string, other: string): Promise<string | undefined> {
  const { stderr } = await vlmo(['search', 'red', '--index', index, '--model', other]);
  return /expected its model "([^"]+)"/.exec(stderr)?.[1];
}

describe('generations', () => {
  test('a new model builds beside the one that serves, and serves from its first complete run', async (t) => {
    const folder = await temporaryFolder(t);
    const [pictures, index] = [join(folder, 'pictures'), join(folder, 'index')];
    const [tiny, third] = [join(folder, 'tiny'), fixture('../../models/demo')];
    await drawPictures(pictures, 0, 20);
    await importTiny(folder);
    const args = ['index', pictures, '--index', index, '--json'];
    const first = await vlmoJson<Summary>([...args, '--model', 'demo']);
    assert.equal(await serving(index, tiny), 'demo');

    // Stopped before it can be complete: the old one goes on serving.
    const stopped = startVlmo([...args, '--model', tiny, '--batch-size', '1']);
    // The tables of a new generation, its entry in the registry, and the record of the run.
    assert.ok(await untilCommits(index, countCommits(index) + 4, stopped));
    stopped.kill('SIGKILL');
    await ended(stopped);
    assert.equal(await serving(index, tiny), 'demo');
    const found = await vlmoJson<{ hits: unknown[] }>([
      'search',
      'red',
      '--index',
      index,
      '--json',
      '-k',
      '50',
    ]);
    assert.equal(found.lines[0]?.hits.length, 20);

    const second = await vlmoJson<Summary>([...args, '--model', tiny]);
    assert.notEqual(second.lines[0]?.generation, first.lines[0]?.generation);
    assert.match(second.stderr, /now served by model "tiny".*before by "demo"/);
    assert.equal(await serving(index, third), 'tiny');
    // Without --model it is the one that serves now; back to the first, everything is stored already.
    assert.deepEqual((await vlmoJson<Summary>(args)).lines[0]?.stored, 0);
    const back = await vlmoJson<Summary>([...args, '--model', 'demo']);
    assert.deepEqual([back.lines[0]?.stored, back.lines[0]?.generation], [0, first.lines[0]?.generation]);
    assert.equal(await serving(index, tiny), 'demo');
  });
});
