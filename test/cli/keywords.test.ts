import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { temporaryFolder } from '../fixtures/files.ts';
import { put } from '../pipeline/pictures.ts';
import { vlmoJson } from './cli-fixture.ts';

const folder = await temporaryFolder({ after });
const index = join(folder, 'index');

before(async () => {
  const rows = [
    { id: 'zh', caption: '一只红苹果放在桌子上' },
    { id: 'zh2', caption: '一辆红色的汽车' },
    { id: 'en', caption: 'a red apple on a table' },
    { id: 'nfd', caption: 'une cre\u0300me au cafe\u0301' },
    { id: 'nfc', caption: 'une crème au café' },
    { id: 'cliche', caption: 'such a cliché' },
  ];
  await put(folder, 'rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  await vlmoJson(['index', join(folder, 'rows.jsonl'), '--index', index, '--model', 'demo', '--json']);
});

/** The first hits, whatever their vectors say: a keyword counts half a cosine, and these words are far from them. */
async function first(keywords: string, count: number): Promise<string> {
  const args = ['search', 'coffee', '--in', 'captions', '--index', index, '--keywords', keywords];
  const { lines } = await vlmoJson<{ hits: { id: string }[] }>([...args, '-k', '6', '--json']);
  const ids = lines[0]?.hits.slice(0, count).map(({ id }) => id) ?? [];
  return ids.sort().join(' ');
}

test('search --keywords: what holds the words comes first, in every script and form', async () => {
  assert.equal(await first('苹果', 1), 'zh');
  assert.equal(await first('红苹果', 1), 'zh');
  assert.equal(await first('红色的', 1), 'zh2');
  assert.equal(await first('cliche', 1), 'cliche');
  assert.equal(await first('creme', 2), 'nfc nfd');
  assert.equal(await first('CRÈME', 2), 'nfc nfd');
  assert.equal(await first('apples', 1), 'en');
});
