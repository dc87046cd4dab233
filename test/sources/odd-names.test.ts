import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readPicture } from '#pictures/read-picture.ts';
import { collect, ids, tempFolder } from './temp-folder.ts';

const bytes = (...parts: (string | number)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));

test('names that are no UTF-8 are items of their own, with their captions, and can be read', async (t) => {
  const folder = await tempFolder(t, { 'plain.jpg': 'p' });
  for (const [name, content] of [
    [bytes('caf', 0xe9, '.jpg'), '1'],
    [bytes('caf', 0xe8, '.jpg'), '22'],
    [bytes('caf', 0xe9, '.txt'), 'with é'],
  ] as const)
    await writeFile(Buffer.concat([bytes(`${folder}/`), name]), content);
  const below = bytes(`${folder}/`, 0xff, ' x');
  await mkdir(below);
  await writeFile(Buffer.concat([below, bytes('/a b.jpg')]), '333');
  await writeFile(Buffer.concat([below, bytes('/metadata.csv')]), 'file_name,text\na b.jpg,in a table\n');
  const { images, captions, broken } = await collect(folder);
  assert.deepEqual(broken, []);
  assert.deepEqual(ids(images), ['%FF x/a b.jpg', 'caf%E8.jpg', 'caf%E9.jpg', 'plain.jpg']);
  assert.deepEqual(
    captions.map(({ imageId, caption }) => [imageId, caption]),
    [
      ['%FF x/a b.jpg', 'in a table'],
      ['caf%E9.jpg', 'with é'],
    ],
  );
  assert.deepEqual(
    images.map(({ uri }) => uri),
    [
      `file://${folder}/%FF%20x/a%20b.jpg`,
      `file://${folder}/caf%E8.jpg`,
      `file://${folder}/caf%E9.jpg`,
      join(folder, 'plain.jpg'),
    ],
  );
  assert.deepEqual(
    images.map(({ uri }) => readPicture(uri, 10).length),
    [3, 2, 1, 1],
  );
});

test('a name that looks like an encoded one is not taken for it', async (t) => {
  const folder = await tempFolder(t, { 'caf%E9.jpg': 'literal' });
  const { images } = await collect(folder);
  assert.deepEqual(
    images.map(({ id, uri }) => [id, uri]),
    [['caf%E9.jpg', join(folder, 'caf%E9.jpg')]],
  );
});

test('sidecars and tables meet their pictures in either Unicode form', async (t) => {
  const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301'];
  const folder = await tempFolder(t, {
    [`a/${decomposed}.jpg`]: '',
    [`a/${composed}.txt`]: 'one',
    [`b/${composed}.JPG`]: '',
    [`b/${decomposed}.Json`]: '{"caption": "two"}',
    [`c/${decomposed}.jpg`]: '',
    'c/metadata.csv': `file_name,text\n${composed}.jpg,three\n`,
    [`d/${composed}.jpg`]: '',
    [`d/${composed}.txt`]: 'composed',
    [`d/${decomposed}.jpg`]: '',
    [`d/${decomposed}.txt`]: 'decomposed',
  });
  const { images, captions } = await collect(folder);
  assert.equal(images.length, 5);
  const said = captions.map(({ imageId, caption }) => [imageId, caption]);
  assert.deepEqual(said, [
    [`a/${decomposed}.jpg`, 'one'],
    [`b/${composed}.JPG`, 'two'],
    [`c/${composed}.jpg`, 'three'],
    [`d/${decomposed}.jpg`, 'decomposed'],
    [`d/${composed}.jpg`, 'composed'],
  ]);
  for (const { uri } of images) assert.equal(readPicture(uri, 10).length, 0, uri);
});

test('captions of several files that say the same are one', async (t) => {
  const folder = await tempFolder(t, {
    'a.jpg': '',
    'a.txt': 'A red circle\nin the middle of a cafe\u0301.\n',
    'a.json': '{"caption": "A red circle in the middle of a caf\u00e9.", "text": "another"}',
  });
  const { captions } = await collect(folder);
  assert.deepEqual(
    captions.map(({ caption }) => caption),
    ['A red circle\nin the middle of a cafe\u0301.', 'another'],
  );
});
