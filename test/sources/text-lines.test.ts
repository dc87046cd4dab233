import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { textLines } from '#sources/text-lines.ts';
import { tempFolder } from './temp-folder.ts';

test('textLines: a text a line, numbered as editors do; one that is no UTF-8 is refused by its line', async (t) => {
  const latin1 = Buffer.concat([
    Buffer.from('\uFEFF one \r\n\n'),
    Buffer.from('caf\xe9\n', 'latin1'),
    Buffer.from('zwei'),
  ]);
  const folder = await tempFolder(t, { 'q.txt': latin1 });
  const said: unknown[] = [];
  for await (const item of textLines(join(folder, 'q.txt')))
    said.push([
      item.id,
      item.kind === 'caption' ? item.caption : item.kind === 'broken' && item.error.message,
    ]);
  const message = `Cannot read line 3 of "${folder}/q.txt": expected UTF-8 text, received other bytes`;
  assert.deepEqual(said, [
    ['q.txt:1', 'one'],
    ['q.txt:3', message],
    ['q.txt:4', 'zwei'],
  ]);
});
