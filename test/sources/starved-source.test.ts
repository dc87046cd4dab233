import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '../fixtures/files.ts';
import { runChild } from '../fixtures/run-child.ts';
import { drawPictures, put } from '../pipeline/pictures.ts';

interface Read {
  readonly whole: readonly string[];
  readonly starved: { readonly code: string; readonly message: string };
  readonly patient: readonly string[];
}

test('a machine without file handles ends the reading with the reason, and for a moment costs nothing', async (t) => {
  const folder = await temporaryFolder(t);
  await drawPictures(folder, 0, 3);
  await put(folder, 'p0001.txt', 'a red dog');
  await put(folder, 'below/metadata.csv', 'file_name,text\nx.png,a blue cat\n');
  await drawPictures(`${folder}/below`, 3, 5);
  const { whole, starved, patient } = await runChild<Read>('starved-source-child.ts', [folder]);
  assert.equal(whole.length, 8, whole.join('\n'));
  assert.equal(starved.code, 'MACHINE_FAILED');
  assert.match(starved.message, /EMFILE/);
  assert.deepEqual(patient, whole);
});
