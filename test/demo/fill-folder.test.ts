import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fillFolder } from '../../demo/fill-folder.ts';
import { temporaryFolder } from '../fixtures/files.ts';

const write = (folder: string, name: string): Promise<void> => writeFile(join(folder, name), name);

test('a folder is filled once for each version', async (t) => {
  const folder = join(await temporaryFolder(t), 'pictures');
  await fillFolder(folder, 'one', ['a', 'b', 'c', 'd', 'e'], write);
  assert.deepEqual((await readdir(folder)).sort(), ['.complete', 'a', 'b', 'c', 'd', 'e']);
  await fillFolder(folder, 'one', ['a', 'b'], () => assert.fail('it is complete'));
  await fillFolder(folder, 'two', ['f'], write);
  assert.deepEqual((await readdir(folder)).sort(), ['.complete', 'f']);
});

test('what fails leaves the folder as it was', async (t) => {
  const folder = join(await temporaryFolder(t), 'pictures');
  await fillFolder(folder, 'one', ['a'], write);
  await assert.rejects(
    fillFolder(folder, 'two', ['b'], () => Promise.reject(new Error('no paint'))),
    /no paint/,
  );
  assert.equal(await readFile(join(folder, 'a'), 'utf8'), 'a');
});
