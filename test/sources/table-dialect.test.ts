import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import type { SourceOptions } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { collect, reasons, tempFolder } from './temp-folder.ts';

async function read(t: TestContext, name: string, text: string, options?: SourceOptions) {
  const path = join(await tempFolder(t, { [name]: text }), name);
  const { images, captions, broken } = await collect(path, options);
  return { images: images.map(({ id }) => id), captions: captions.map(({ caption }) => caption), broken };
}

test('tables are read by the delimiter with which their first line has a known column', async (t) => {
  for (const delimiter of [',', '\t', ';', '|'])
    for (const name of ['t.csv', 't.txt', 't.tab']) {
      const text = `id${delimiter}file_name${delimiter}title\n1${delimiter}a.jpg${delimiter}a red circle\n`;
      assert.deepEqual((await read(t, name, text)).captions, ['a red circle'], `${name} ${delimiter}`);
    }
  const flickr = 'image_name| comment_number| comment\na.jpg| 0| Two men say "hi" .\n';
  const { captions } = await read(t, 'results.csv', flickr);
  assert.deepEqual(captions, ['Two men say "hi" .']);
  const { broken } = await read(t, 'results.csv', flickr, { quote: true });
  assert.match(reasons(broken)[0] ?? '', /--plain-quotes/);
  assert.deepEqual((await read(t, 'a.csv', 'file_name^text\na.jpg^x,y\n', { delimiter: '^' })).captions, [
    'x,y',
  ]);
});

test('spaces behind delimiters are for the eye where every delimiter has them, and text elsewhere', async (t) => {
  const rows = '1, a.jpg, "round, red"\n2,  b.jpg, a blue square\n';
  for (const header of ['id, image, caption\n', 'id,image,caption\n']) {
    const { images, captions, broken } = await read(t, 's.csv', header + rows, { idColumn: undefined });
    assert.deepEqual([images, captions, broken], [['1', '2'], ['round, red', 'a blue square'], []]);
  }
  const kept = await read(t, 'k.csv', 'caption,n,image\nx,1, a.jpg\n,2,b.jpg\n');
  assert.deepEqual(kept.images, [' a.jpg', 'b.jpg']);
});

test('a .txt or nameless file is a table by its first line or by --format, and refused otherwise', async (t) => {
  const folder = await tempFolder(t, { 'words.txt': 'a red apple\na cat\n', words: 'https: //a\n' });
  for (const name of ['words.txt', 'words'])
    await assert.rejects(
      openSource(join(folder, name)),
      (error) =>
        error instanceof VlmoError && error.code === 'SOURCE_UNSUPPORTED' && /--format/.test(error.message),
    );
  assert.deepEqual((await read(t, 'a.txt', 'image,caption\na.jpg,one\n')).captions, ['one']);
  assert.deepEqual(
    (await read(t, 'rows', '{"image": "a.jpg", "text": "one"}\n', { format: 'jsonl' })).captions,
    ['one'],
  );
});

test('options that do not fit a source are refused, not passed over', async (t) => {
  const folder = await tempFolder(t, { 'a.csv': 'image\na.jpg\n' });
  const refused = (error: unknown) => error instanceof VlmoError && error.code === 'USAGE_INVALID';
  await assert.rejects(openSource(folder, { format: 'csv' }), refused);
  for (const options of [{ include: ['x'] }, { exclude: ['x'] }, { captionLines: true }])
    await assert.rejects(openSource(join(folder, 'a.csv'), options), refused);
  for (const delimiter of ['', 'ab', '"', 'é', '\n'])
    await assert.rejects(openSource(join(folder, 'a.csv'), { delimiter }), refused, delimiter);
});

test('.json: an array of rows in whatever lines, or lines of objects', async (t) => {
  const rows = [
    { image: 'a.jpg', caption: 'brackets ] } and "quotes\\" in a text' },
    {
      image: 'b.jpg',
      captions: ['x', { raw: 'y', sentid: 1 }, { caption: 'z' }, null],
      nested: { a: [1, { b: 2 }] },
    },
  ];
  for (const text of [
    JSON.stringify(rows),
    JSON.stringify(rows, null, 2),
    `\uFEFF \n${JSON.stringify(rows, null, '\t')}\n\n`,
    rows.map((row) => JSON.stringify(row)).join('\n'),
    rows.map((row) => JSON.stringify(row, null, 1)).join('\n'),
  ]) {
    const { images, captions, broken } = await read(t, 'rows.json', text);
    assert.deepEqual(
      [images, captions, broken],
      [['a.jpg', 'b.jpg'], [rows[0]?.caption, 'x', 'y', 'z'], []],
      text,
    );
  }
});

test('.json: what is no row is refused by its line, and the rest goes on', async (t) => {
  const { images, broken } = await read(
    t,
    'rows.json',
    '[\n1,\n{"image": "a.jpg"},\n{"image": }, "x",\n{"image": "b.jpg"}, {"image": "c',
  );
  assert.deepEqual(images, ['a.jpg', 'b.jpg']);
  assert.deepEqual(
    broken.map(({ id }) => id),
    ['rows.json:2', 'rows.json:4', 'rows.json:4', 'rows.json:5'],
  );
  assert.match(reasons(broken).at(-1) ?? '', /the end of the file/);
});

test('.json: memory and time stay flat over a long array', async (t) => {
  const rows = Array.from({ length: 20_000 }, (_, i) => ({ image: `${i}.jpg`, caption: 'x'.repeat(100) }));
  const { images } = await read(t, 'rows.json', JSON.stringify(rows));
  assert.equal(images.length, 20_000);
});

test('NaN and the infinities, as Python writes them, are null and cost no row; in texts they are text', async (t) => {
  const text =
    '{"image": "a.jpg", "caption": "NaN, -Infinity \\"NaN\\"", "x": NaN}\n' +
    '{"image": "b.jpg", "caption": NaN, "x": [Infinity, -Infinity]}\n{"image": "c.jpg", "x": NaNa}\n';
  const path = join(await tempFolder(t, { 'm.jsonl': text }), 'm.jsonl');
  const { images, captions, broken } = await collect(path);
  assert.deepEqual(
    images.map(({ meta }) => meta),
    [{ x: null }, { x: [null, null] }],
  );
  assert.deepEqual(
    captions.map(({ caption }) => caption),
    ['NaN, -Infinity "NaN"'],
  );
  assert.equal(broken.length, 1);
});

test('paths of Windows: relative ones lead where they mean, drives and shares are refused with what to change', async (t) => {
  const rows = ['C:\\photos\\a.jpg', 'd:/b.jpg', '\\\\server\\share\\c.jpg', '.\\d.jpg', 'sub\\e.jpg'];
  const folder = await tempFolder(t, {
    'm.jsonl': rows.map((image) => JSON.stringify({ image })).join('\n'),
  });
  const { images, broken } = await collect(join(folder, 'm.jsonl'));
  assert.deepEqual(
    images.map(({ uri }) => uri),
    [join(folder, 'd.jpg'), `${folder}/sub\\e.jpg`],
  );
  assert.equal(broken.length, 3);
  for (const reason of reasons(broken)) assert.match(reason, /Windows path .* divided by "\/"/);
});

test('filepath is the folder of filename, or its whole path', async (t) => {
  const rows = [
    {
      filepath: 'val2014',
      filename: 'a.jpg',
      sentences: [
        { raw: 'A circle.', sentid: 0 },
        { raw: 'Red.', sentid: 1 },
      ],
    },
    { filepath: 'val2014/', filename: 'b.jpg' },
    { filepath: 'deep/c.jpg', filename: 'c.jpg' },
    { filepath: '', filename: 'd.jpg' },
  ];
  const path = join(await tempFolder(t, { 'k.json': JSON.stringify(rows) }), 'k.json');
  const { images, captions } = await collect(path);
  const folder = path.slice(0, -'k.json'.length);
  assert.deepEqual(
    images.map(({ uri }) => uri.slice(folder.length)),
    ['val2014/a.jpg', 'val2014/b.jpg', 'deep/c.jpg', 'd.jpg'],
  );
  assert.deepEqual(
    captions.map(({ caption }) => caption),
    ['A circle.', 'Red.'],
  );
  const { images: named } = await collect(path, { imageColumn: 'filename' });
  assert.equal(named[0]?.uri, `${folder}a.jpg`);
});
