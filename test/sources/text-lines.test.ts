import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Item } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
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

test('textLines: UTF-16 is refused, as a whole by its mark, else line by line; a manifest too', async (t) => {
  const text = 'a cat\na dog\n';
  const folder = await tempFolder(t, {
    'little.txt': Buffer.from(`\uFEFF${text}`, 'utf16le'),
    'big.txt': Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(),
    'none.txt': Buffer.from(text, 'utf16le'),
    'rows.jsonl': Buffer.from('\uFEFF{"id": "a", "caption": "b"}\n', 'utf16le'),
    'rows.csv': Buffer.from('\uFEFFid,caption\na,b\n', 'utf16le'),
  });
  const items = async (given: AsyncIterable<Item>): Promise<Item[]> => {
    const read: Item[] = [];
    for await (const item of given) read.push(item);
    return read;
  };
  const refused = { code: 'SOURCE_UNSUPPORTED', message: /received UTF-16; save it as UTF-8$/ };
  for (const name of ['little.txt', 'big.txt'])
    await assert.rejects(items(textLines(join(folder, name))), refused, name);
  for (const name of ['rows.jsonl', 'rows.csv'])
    await assert.rejects(async () => items((await openSource(join(folder, name))).items()), refused, name);
  const lines = await items(textLines(join(folder, 'none.txt')));
  assert.ok(lines.length >= 2 && lines.every(({ kind }) => kind === 'broken'), JSON.stringify(lines));
});
