import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { openSource } from '#sources/open-source.ts';
import { collect, reasons, tempFolder } from './temp-folder.ts';

const KARPATHY = {
  images: ['train', 'restval', 'test'].map((split, imgid) => ({
    filepath: 'val2014',
    sentids: [2 * imgid, 2 * imgid + 1],
    filename: `${imgid}.jpg`,
    imgid,
    split,
    sentences: [
      { tokens: ['a'], raw: `A "]}" of ${split}.`, imgid, sentid: 2 * imgid },
      { tokens: ['b'], raw: `B of ${split}.`, imgid, sentid: 2 * imgid + 1 },
    ],
    cocoid: 100 + imgid,
  })),
  dataset: 'coco',
};
const COCO = {
  info: { description: 'COCO', url: 'http://x.test' },
  licenses: [{ url: 'http://x.test', id: 1, name: 'n' }],
  images: [7, 8].map((id) => ({ license: 1, file_name: `${id}.jpg`, height: 4, width: 5, id })),
  annotations: [
    { image_id: 8, id: 30, caption: 'eight ' },
    { image_id: 7, id: 31, caption: 'seven' },
    { image_id: 8, id: 32, caption: 'eight again' },
  ],
};

test("Karpathy's JSON: pictures from --image-folder, captions, split in meta and as a filter, on one line or many", async (t) => {
  for (const spaces of [0, 2]) {
    const folder = await tempFolder(t, { 'dataset_coco.json': JSON.stringify(KARPATHY, null, spaces) });
    const imageFolder = join(folder, 'coco');
    await mkdir(imageFolder);
    const all = await collect(join(folder, 'dataset_coco.json'), { imageFolder });
    assert.deepEqual([all.images.length, all.captions.length, all.broken], [3, 6, []]);
    assert.deepEqual(
      all.images.map(({ id, uri, meta }) => [id, uri, meta.split, meta.cocoid]),
      KARPATHY.images.map(({ filename, split, cocoid }) => [
        `val2014/${filename}`,
        join(imageFolder, 'val2014', filename),
        split,
        cocoid,
      ]),
    );
    const some = await collect(join(folder, 'dataset_coco.json'), { splits: ['test', 'restval'] });
    assert.deepEqual(
      some.captions.map(({ caption }) => caption),
      ['A "]}" of restval.', 'B of restval.', 'A "]}" of test.', 'B of test.'],
    );
  }
});

test("COCO's captions: each at its picture by its id, whichever array comes first", async (t) => {
  const { images, annotations, ...rest } = COCO;
  for (const value of [COCO, { ...rest, annotations, images }]) {
    const path = join(await tempFolder(t, { 'c.json': JSON.stringify(value) }), 'c.json');
    const found = await collect(path);
    assert.deepEqual([found.images.map(({ id }) => id), found.broken], [['7', '8'], []]);
    assert.deepEqual(
      found.captions.map(({ id, imageId, caption }) => [id, imageId, caption]),
      [
        ['30', '8', 'eight'],
        ['31', '7', 'seven'],
        ['32', '8', 'eight again'],
      ],
    );
  }
});

test('a JSON object that is cut anywhere says so, and every row before is there', async (t) => {
  const text = JSON.stringify(COCO);
  const first = text.indexOf('"images":[{') + '"images":[{'.length;
  for (let length = first; length < text.length; length += 7) {
    const path = join(await tempFolder(t, { 'c.json': text.slice(0, length) }), 'c.json');
    const { broken } = await collect(path);
    assert.equal(broken.length, 1, text.slice(0, length));
    assert.match(reasons(broken)[0] ?? '', /the end of the file in it/);
  }
});

test('a broken row of an object is listed, and the rest goes on; long arrays come in chunks', async (t) => {
  const rows = Array.from(
    { length: 5000 },
    (_, n) => `{"file_name": "${n}.jpg", "text": "${'x'.repeat(60)}"}`,
  );
  rows.splice(2500, 0, '{"file_name": }', '5');
  const text = `{"images": [${rows.join(', ')}], "more": [1, {"file_name": "no.jpg"}]}`;
  const { images, broken } = await collect(join(await tempFolder(t, { 'c.json': text }), 'c.json'));
  assert.deepEqual([images.length, broken.length], [5000, 2]);
});

test("Flickr30k's results.csv and .token: captions with quotes, the broken line listed", async (t) => {
  const csv =
    'image_name| comment_number| comment\na.jpg| 0| Two men say "hi" .\na.jpg| 4   A dog runs .\nb.jpg| 0| "A" cat , here .\n';
  const token = 'a.jpg#0\tTwo men say "hi" .\na.jpg\tA dog runs .\nb.jpg#0\t"A" cat , here .\n';
  for (const [name, text, line] of [
    ['results.csv', csv, 3],
    ['results_20130124.token', token, 2],
  ] as const) {
    const path = join(await tempFolder(t, { [name]: text }), name);
    const { images, captions, broken } = await collect(path);
    assert.deepEqual(
      [images.map(({ id }) => id), captions.map(({ caption, imageId }) => [imageId, caption])],
      [
        ['a.jpg', 'b.jpg'],
        [
          ['a.jpg', 'Two men say "hi" .'],
          ['b.jpg', '"A" cat , here .'],
        ],
      ],
      name,
    );
    assert.deepEqual(
      [broken.map(({ id }) => id), reasons(broken)],
      [[`${name}:${line}`], ['expected 3 columns, received 2']],
    );
  }
});

test('--split without such a column, --image-folder that is none, and either for a folder are refused', async (t) => {
  const folder = await tempFolder(t, { 'a.csv': 'image\na.jpg\n' });
  const refused = (code: string) => (error: unknown) => error instanceof VlmoError && error.code === code;
  const table = join(folder, 'a.csv');
  await assert.rejects(openSource(table, { splits: ['test'] }), refused('SOURCE_COLUMN_MISSING'));
  await assert.rejects(openSource(table, { imageFolder: table }), refused('USAGE_INVALID'));
  await assert.rejects(openSource(table, { imageFolder: join(folder, 'no') }), refused('SOURCE_NOT_FOUND'));
  for (const options of [{ splits: ['test'] }, { imageFolder: folder }])
    await assert.rejects(openSource(folder, options), refused('USAGE_INVALID'));
});
