import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect, Index } from '@lancedb/lancedb';
import { INDEX_FORMAT } from '#store/lance/index-folder.ts';
import { openStore } from '#store/lance/open-store.ts';
import { seededRandom } from '../../fixtures/files.ts';
import { captionRow, generationSpec, temporaryFolder, unitVectors } from './store-fixture.ts';

const CHILD = fileURLToPath(new URL('./migrating-writer.ts', import.meta.url));
const WORDS = ['cliché', '苹果', 'crème', 'dog', 'éléphant'];
const ROWS = 40_000;
const vectors = unitVectors(ROWS, 4);

function captionOf(i: number): string {
  return WORDS.filter((_, bit) => (i >> bit) & 1).join(i % 2 === 0 ? ' 的 ' : ', ');
}

/** Ids of captions with a word that an English ear hears alike, by the number alone. */
function holders(word: string): number {
  const bit = WORDS.indexOf(word);
  return Array.from({ length: ROWS }, (_, i) => i).filter((i) => (i >> bit) & 1).length;
}

/** As format 5 had it: no terms, and a full-text index over the captions themselves. */
async function degrade(index: string): Promise<string> {
  const connection = await connect(join(index, 'lance'));
  const name = (await connection.tableNames()).find((table) => table.endsWith('.captions')) ?? assert.fail();
  const table = await connection.openTable(name);
  await table.dropColumns(['words']);
  const config = Index.fts({ baseTokenizer: 'simple', stem: true, asciiFolding: true, withPosition: false });
  await table.createIndex('caption', { config });
  connection.close();
  const marker = join(index, 'vlmo-index.json');
  const { id } = JSON.parse(await readFile(marker, 'utf8')) as { readonly id: string };
  await writeFile(marker, JSON.stringify({ format: 5, id }));
  return name;
}

async function textIndexes(index: string, name: string): Promise<readonly (readonly string[])[]> {
  const connection = await connect(join(index, 'lance'));
  const indices = await (await connection.openTable(name)).listIndices();
  connection.close();
  return indices.filter(({ indexType }) => indexType === 'FTS').map(({ columns }) => columns);
}

async function assertWhole(index: string, write: boolean): Promise<void> {
  await using store = await openStore(index, { create: false, write });
  const { captions } = await store.tables((await store.generations())[0] ?? assert.fail());
  assert.equal(await captions.count(), ROWS);
  for (const [word, like] of [
    ['cliche', 'cliché'],
    ['苹果', '苹果'],
    ['CRE\u0300ME', 'crème'],
    ['dogs', 'dog'],
    ['elephant', 'éléphant'],
  ] as const) {
    let found = 0;
    for await (const _ of captions.matching(word)) found += 1;
    assert.equal(found, holders(like), word);
  }
  const { key } = captionRow('c7');
  assert.equal((await captions.find([key])).get(key)?.caption, captionOf(7));
  const stored = await captions.vector(key);
  for (const [i, value] of [...(stored ?? [])].entries())
    assert.ok(Math.abs(value - (vectors[28 + i] ?? 0)) < 1e-3, 'the vector is what it was');
}

test('keywords of an index of format 5: said, rebuilt once, finished where it was killed -9', {
  timeout: 300_000,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const [index, whole] = [join(folder, 'index'), join(folder, 'whole')];
  {
    await using store = await openStore(index, { create: true });
    const { captions } = await store.openGeneration(generationSpec());
    const rows = Array.from({ length: ROWS }, (_, i) => captionRow(`c${i}`, { caption: captionOf(i) }));
    await captions.upsert({ rows, vectors });
  }
  const name = await degrade(index);
  assert.deepEqual(await textIndexes(index, name), [['caption']]);
  await cp(index, whole, { recursive: true });

  const notes: string[] = [];
  await (await openStore(whole, { create: false, write: true, note: (line) => notes.push(line) })).close();
  assert.match(notes[0] ?? '', /text indexes are rebuilt; some 2 s for 40000 captions$/);
  assert.deepEqual(await textIndexes(whole, name), [['words']]);
  await assertWhole(whole, false);

  const random = seededRandom(5);
  let kills = 0;
  for (let isDone = false; !isDone; ) {
    const child = spawn(process.execPath, [CHILD, index], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout })) {
      isDone = line.startsWith('up to date');
      if (isDone || kills >= 8) continue;
      await setTimeout(random() * 80 * (kills + 1));
      child.kill('SIGKILL');
      kills += 1;
      break;
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  }
  assert.ok(kills > 0);
  const marker = JSON.parse(await readFile(join(index, 'vlmo-index.json'), 'utf8')) as { format: number };
  assert.equal(marker.format, INDEX_FORMAT);
  assert.deepEqual(await textIndexes(index, name), [['words']]);
  await assertWhole(index, true);
});
