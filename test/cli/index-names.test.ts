import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { openIndex } from '#service/open-index.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { put } from '../pipeline/pictures.ts';
import { assertCannotRun } from './cli-fixture.ts';

const FOLDER = await temporaryFolder({ after });
await put(FOLDER, 'list.csv', 'id,caption\na,a red dog\n');
const SOURCE = join(FOLDER, 'list.csv');

describe('a control character in the name of an index', () => {
  for (const name of [
    'two\nlines',
    'end\n',
    'a\ttab',
    'back\rward',
    '\u001b[31mred',
    'next\u0085line',
    'up\n/index',
  ])
    test(`${JSON.stringify(name)} is refused before anything is written`, async (t) => {
      const folder = await temporaryFolder(t);
      const index = join(folder, name);
      for (const args of [
        ['index', SOURCE, '--index', index, '--model', 'demo'],
        ['submit', SOURCE, '--index', index, '--model', 'demo'],
        ['worker', '--index', index],
        ['search', 'red', '--index', index],
      ])
        await assertCannotRun(args, 'CONFIG_INVALID', 'control characters');
      for (const uri of [index, pathToFileURL(index).href])
        await assert.rejects(
          openIndex(uri, { create: true, write: true }),
          vlmoError('CONFIG_INVALID', 'control characters'),
        );
      assert.deepEqual(await readdir(folder), []);
    });

  test('is refused where it is in a folder above, too, which stays as it was', async (t) => {
    const above = join(await temporaryFolder(t), 'two\nlines');
    await mkdir(above);
    const args = ['index', SOURCE, '--index', join(above, 'index'), '--model', 'demo'];
    await assertCannotRun(args, 'CONFIG_INVALID', 'U+000A');
    assert.deepEqual(await readdir(above), []);
  });
});
