import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { CaptionTable } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { seededRandom } from '../../fixtures/files.ts';
import { captionKeys, captionRow, generationSpec, temporaryStore, unitVectors } from './store-fixture.ts';

async function matching(captions: CaptionTable, word: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { imageId } of captions.matching(word)) ids.push(imageId?.slice('of '.length) ?? '');
  return ids.sort();
}

async function put(captions: CaptionTable, texts: Readonly<Record<string, string>>): Promise<void> {
  const rows = Object.entries(texts).map(([id, caption]) => captionRow(id, { caption, imageId: `of ${id}` }));
  await captions.upsert({ rows, vectors: unitVectors(rows.length, 4) });
}

test('CaptionTable.matching finds whole words without case, accents, punctuation and English endings', async (t) => {
  const { captions } = await (await temporaryStore(t)).openGeneration(generationSpec());
  await put(captions, {
    a: 'Two DOGS, running.',
    b: 'the dog',
    c: 'hotdog dogma',
    d: "a café's door",
    e: '',
    f: 'dog dog dog dog',
  });
  for (const [word, expected] of [
    ['dog', 'a b f'],
    ['Dogs', 'a b f'],
    ['run', 'a'],
    ['cafe', 'd'],
    ['CAFÉ', 'd'],
    ['the', ''],
    ['cat', ''],
    ['', ''],
    ['"dog" OR *', 'a b f'],
    ['two dogs', 'a'],
    ["'; --", ''],
  ] as const) {
    assert.deepEqual((await matching(captions, word)).join(' '), expected, word);
  }
});

test('CaptionTable.matching finds what was written since the index was made, and not what is gone', async (t) => {
  const store = await temporaryStore(t);
  const { captions } = await store.openGeneration(generationSpec());
  assert.deepEqual(await matching(captions, 'dog'), [], 'of nothing');
  await put(captions, { a: 'a dog', b: 'a cat' });
  assert.deepEqual(await matching(captions, 'dog'), ['a']);
  await put(captions, { a: 'a horse', c: 'dogs' });
  assert.deepEqual(await matching(captions, 'dog'), ['c']);
  await captions.delete(captionKeys(['c']));
  assert.deepEqual(await matching(captions, 'dog'), []);
  // Another process, which finds the index made.
  await using other = await openStore(store.uri, { create: false });
  const theirs = (await other.tables((await other.activeGeneration('default')) ?? assert.fail())).captions;
  await put(theirs, { d: 'the dog of another process' });
  assert.deepEqual(await matching(captions, 'dog'), ['d']);
  assert.deepEqual(await matching(theirs, 'horses'), ['a']);
});

test('CaptionTable.matching gives all of thousands, with their pictures, through random writes and optimize', async (t) => {
  const { captions } = await (await temporaryStore(t)).openGeneration(generationSpec());
  const random = seededRandom(8);
  const words = ['red', 'dog', 'apple', 'boat', 'violin'];
  const known = new Map<string, string>();
  for (let round = 0; round < 12; round++) {
    const texts = Object.fromEntries(
      Array.from({ length: 400 }, () => {
        const text = words.filter(() => random() < 0.4).join(' ');
        return [`c${Math.floor(random() * 3000)}`, text];
      }),
    );
    await put(captions, texts);
    for (const [id, text] of Object.entries(texts)) known.set(id, text);
    const gone = [...known.keys()].filter(() => random() < 0.05);
    await captions.delete(captionKeys(gone));
    for (const id of gone) known.delete(id);
    if (round % 4 === 3) await captions.optimize();
    for (const word of words) {
      const expected = [...known].filter(([, text]) => text.split(' ').includes(word)).map(([id]) => id);
      assert.deepEqual(await matching(captions, word), expected.sort(), `${word} in round ${round}`);
    }
  }
  const [dog] = captionKeys([(await matching(captions, 'dog'))[0] ?? '']);
  const found = (await captions.find([dog ?? ''])).get(dog ?? '');
  assert.equal(found?.imageId, `of ${found?.id}`);
});

test('CaptionTable.matching makes one index, at the first call', async (t) => {
  const store = await temporaryStore(t);
  const { record, captions } = await store.openGeneration(generationSpec());
  await put(captions, { a: 'a dog' });
  const indices = async () => {
    const folder = join(store.uri, 'lance', `${record.name}.captions.lance`, '_indices');
    return readdir(folder).catch(() => []);
  };
  assert.equal((await indices()).length, 0);
  await Promise.all(['dog', 'cat', 'dog'].map((word) => matching(captions, word)));
  await put(captions, { b: 'a dog' });
  assert.deepEqual(await matching(captions, 'dog'), ['a', 'b']);
  assert.equal((await indices()).length, 1);
});

test('CaptionTable.matching finds the same where the index cannot be made, follows the table, and makes it once it can', async (t) => {
  const store = await temporaryStore(t);
  const { record, captions } = await store.openGeneration(generationSpec());
  await put(captions, { a: 'a dog', b: '一只红苹果' });
  const place = join(store.uri, 'lance', `${record.name}.captions.lance`, '_indices');
  await writeFile(place, 'a file where a folder has to be');
  assert.deepEqual(await matching(captions, 'dogs'), ['a']);
  assert.deepEqual(await matching(captions, '苹果'), ['b']);
  await put(captions, { a: 'a horse', c: 'two dogs' });
  assert.deepEqual(await Promise.all(['dog', 'horses', 'dog'].map((word) => matching(captions, word))), [
    ['c'],
    ['a'],
    ['c'],
  ]);
  await rm(place);
  assert.deepEqual(await matching(captions, 'dogs'), ['c']);
  assert.equal((await readdir(place)).length, 1);
});
