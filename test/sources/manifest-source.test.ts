import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { VlmoError } from '#errors.ts';
import type { SourceOptions } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { type Collected, collect, ids, reasons, tempFolder } from './temp-folder.ts';

let folder = '';

/** The items of a manifest of that name and content. */
async function read(
  t: TestContext,
  name: string,
  content: string | Uint8Array,
  options?: SourceOptions,
): Promise<Collected> {
  folder = await tempFolder(t, { [name]: content });
  return collect(join(folder, name), options);
}

function jsonl(...rows: readonly unknown[]): string {
  return rows.map((row) => JSON.stringify(row)).join('\n');
}

test('csv: rows become a picture once and numbered captions, near or far apart', async (t) => {
  const { items } = await read(
    t,
    'm.csv',
    'file_name,caption,score,note\na.jpg,one,0.5,\nb.jpg,two,007,x\na.jpg,three,,\na.jpg,,,\n',
  );
  const a = { uri: join(folder, 'a.jpg') };
  const b = { uri: join(folder, 'b.jpg') };
  assert.deepEqual(items, [
    { kind: 'image', id: 'a.jpg', ...a, meta: { score: '0.5' } },
    { kind: 'caption', id: 'a.jpg#0', imageId: 'a.jpg', ...a, caption: 'one', meta: { score: '0.5' } },
    { kind: 'image', id: 'b.jpg', ...b, meta: { score: '007', note: 'x' } },
    {
      kind: 'caption',
      id: 'b.jpg#0',
      imageId: 'b.jpg',
      ...b,
      caption: 'two',
      meta: { score: '007', note: 'x' },
    },
    { kind: 'caption', id: 'a.jpg#1', imageId: 'a.jpg', ...a, caption: 'three', meta: {} },
  ]);
});

test('csv: byte order mark, CRLF, quoted delimiters, quotes and line breaks, blank lines', async (t) => {
  const text = '\uFEFF"image","caption"\r\n\r\n"a,b.jpg","say ""hi"",\r\nthere"\r\n  \r\nc.jpg,plain';
  const { images, captions } = await read(t, 'm.csv', text);
  assert.deepEqual(ids(images), ['a,b.jpg', 'c.jpg']);
  assert.deepEqual(
    captions.map(({ caption }) => caption),
    ['say "hi",\r\nthere', 'plain'],
  );
});

test('tsv: cells are divided by tabs, and quotes are text unless they are said to be quotes', async (t) => {
  const text = 'image\tcaption\na.jpg\tone, two\nb.jpg\t"Sunny" day\nc.jpg\t"open\nd.jpg\t24"\n';
  const { captions, broken } = await read(t, 'm.tsv', text);
  assert.deepEqual(
    captions.map(({ caption }) => caption),
    ['one, two', '"Sunny" day', '"open', '24"'],
  );
  assert.deepEqual(broken, []);
  const quoted = await read(t, 'm.tsv', 'image\tcaption\nb.jpg\t"x\ty"\n', { quote: true });
  assert.deepEqual(
    quoted.captions.map(({ caption }) => caption),
    ['x\ty'],
  );
});

test('csv: wrong numbers of columns and bad quotes are broken by line, and the rest goes on', async (t) => {
  const rows = [
    'image,caption',
    'a.jpg,one',
    'b.jpg',
    'c.jpg,"x"y',
    'd.jpg,"a\nb"',
    'e.jpg,1,2',
    'f.jpg,f"f',
    'g.jpg,"open',
    'h.jpg,ok',
  ];
  const { images, broken, captions } = await read(t, 'm.csv', rows.join('\n'));
  assert.deepEqual(ids(images), ['a.jpg', 'd.jpg', 'h.jpg']);
  assert.equal(captions[1]?.caption, 'a\nb');
  assert.deepEqual(ids(broken), ['m.csv:3', 'm.csv:4', 'm.csv:7', 'm.csv:8', 'm.csv:9']);
  assert.equal(
    broken[0]?.error.message,
    `Cannot read line 3 of "${join(folder, 'm.csv')}": expected 2 columns, received 1`,
  );
  assert.equal(broken[0]?.uri, join(folder, 'm.csv'));
  assert.equal(reasons(broken)[2], 'expected 2 columns, received 3');
  for (const reason of reasons(broken)) assert.match(reason, /^expected .*, received /);
});

test('csv: a header without the columns wanted is refused when opening', async (t) => {
  const refuse = async (content: string, options: SourceOptions, message: RegExp) => {
    const path = join(await tempFolder(t, { 'm.csv': content }), 'm.csv');
    await assert.rejects(openSource(path, options), (error) => {
      assert.ok(error instanceof VlmoError);
      assert.equal(error.code, 'SOURCE_COLUMN_MISSING');
      assert.match(error.message, message);
      return true;
    });
  };
  await refuse(
    'a,b\n1,2\n',
    {},
    /^Cannot read ".*m\.csv": expected one of .*"caption".*, received the columns "a", "b"$/,
  );
  await refuse(
    'image,b\n',
    { captionColumns: ['alt'] },
    /expected the column "alt", received the columns "image", "b"$/,
  );
  await refuse('image\n', { imageColumn: 'Image' }, /expected the column "Image"/);
  await refuse('', {}, /received no column$/);
  await refuse('\n \n', {}, /received no column$/);
  await refuse('"image\n', {}, /expected a closing quote/);
  await refuse('image,caption\ra.jpg,x\r', {}, /received a CR/);
});

test('csv: a header and no row is an empty source', async (t) => {
  assert.deepEqual((await read(t, 'm.csv', 'image,caption')).items, []);
  assert.deepEqual((await read(t, 'm.csv', 'image,caption\r\n')).items, []);
});

test('csv: nameless and repeated columns keep their values apart', async (t) => {
  const { images } = await read(t, 'm.csv', ',image,x, x,x_4\n5,a.jpg,1,2,3\n');
  assert.deepEqual(images[0]?.meta, { column_1: '5', x: '1', x_4: '2', x_4_5: '3' });
});

test('csv and jsonl: __proto__ as a column changes no prototype', async (t) => {
  const csv = await read(t, 'm.csv', 'image,__proto__,constructor\na.jpg,x,y\n');
  const json = await read(t, 'm.jsonl', '{"image":"a.jpg","__proto__":"x","constructor":"y"}');
  for (const { images } of [csv, json]) {
    const meta = images[0]?.meta ?? {};
    assert.deepEqual(Object.entries(meta), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    assert.equal(Object.getPrototypeOf(meta), Object.prototype);
  }
});

test('jsonl: columns are found per row, values are kept as they are', async (t) => {
  const { items } = await read(
    t,
    'm.jsonl',
    jsonl(
      { image: 'a.jpg', captions: ['one', ' ', ' two '], tags: [1, { x: null }], n: '1' },
      { url: 'https://example.org/b.jpg', TEXT: 'three' },
      { caption: 'four', image: null },
    ),
  );
  assert.deepEqual(
    items.map((item) => [item.kind, item.id, item.uri]),
    [
      ['image', 'a.jpg', join(folder, 'a.jpg')],
      ['caption', 'a.jpg#0', join(folder, 'a.jpg')],
      ['caption', 'a.jpg#1', join(folder, 'a.jpg')],
      ['image', 'https://example.org/b.jpg', 'https://example.org/b.jpg'],
      ['caption', 'https://example.org/b.jpg#0', 'https://example.org/b.jpg'],
      ['caption', 'm.jsonl:3', join(folder, 'm.jsonl')],
    ],
  );
  assert.deepEqual(items[0]?.kind === 'image' && items[0].meta, { tags: [1, { x: null }], n: '1' });
});

test('jsonl: rows that cannot be understood are broken, and the rest goes on', async (t) => {
  const bad = [
    '{"image": "a.jpg"',
    '[1]',
    'null',
    '"text"',
    '{"other": 1}',
    '{}',
    '{"image": 5}',
    '{"image": "a.jpg", "caption": 5}',
    '{"image": "a.jpg", "caption": [["x"]]}',
    '{"image": "a.jpg", "id": {}}',
    '{"image": "a.jpg", "caption_id": true}',
    '{"image": ""}',
    '{"image": null, "caption": " "}',
    '{"image": "a\\u0000.jpg"}',
    `{"image": "a.jpg", "x": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
  ];
  const { images, captions, broken } = await read(t, 'm.jsonl', `${bad.join('\n')}\n{"image":"z.jpg"}\n`);
  assert.deepEqual(ids(images), ['z.jpg']);
  assert.deepEqual(captions, []);
  assert.deepEqual(
    ids(broken),
    bad.map((_, index) => `m.jsonl:${index + 1}`),
  );
  for (const { error } of broken) {
    assert.equal(error.code, 'SOURCE_ROW_INVALID');
    assert.match(error.message, /^Cannot read line \d+ of ".*m\.jsonl": expected .*, received /);
  }
});

test('jsonl: a row without a column named by flag is broken', async (t) => {
  const rows = jsonl(
    { image: 'a.jpg', caption: 'x' },
    { image: 'b.jpg', alt: 'y' },
    { image: 'c.jpg', alt: null },
  );
  const { images, broken } = await read(t, 'm.jsonl', rows, { captionColumns: ['alt'] });
  assert.deepEqual(ids(images), ['b.jpg', 'c.jpg']);
  assert.deepEqual(reasons(broken), ['expected the column "alt", received the columns "image", "caption"']);
});

test('jsonl: blank lines, CRLF, a byte order mark and no last line break; an empty file is an empty source', async (t) => {
  const { items } = await read(t, 'm.jsonl', '\uFEFF\r\n{"image":"a.jpg"}\r\n\r\n \t\r\n{"image":"b.jpg"}');
  assert.deepEqual(ids(items), ['a.jpg', 'b.jpg']);
  assert.deepEqual((await read(t, 'm.jsonl', '')).items, []);
});

test('manifest: bytes that are not UTF-8 break their row only', async (t) => {
  const bytes = (...parts: readonly (string | number)[]) =>
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));
  const csv = await read(t, 'm.csv', bytes('image,caption\na.jpg,caf', 0xe9, '\nb.jpg,café\n'));
  const json = await read(t, 'm.jsonl', bytes('{"image":"a', 0xff, '.jpg"}\n{"image":"b.jpg"}\n'));
  for (const { images, broken } of [csv, json]) {
    assert.deepEqual(ids(images), ['b.jpg']);
    assert.deepEqual(reasons(broken), ['expected UTF-8 text, received other bytes']);
  }
});

test('jsonl: a giant line is broken and the rest goes on', async (t) => {
  const giant = JSON.stringify({ image: 'b.jpg', caption: 'x'.repeat(40 * 1024 * 1024) });
  const { items } = await read(t, 'm.jsonl', `{"image":"a.jpg"}\n${giant}\n{"image":"c.jpg"}\n`);
  assert.deepEqual(ids(items), ['a.jpg', 'm.jsonl:2', 'c.jpg']);
});

test('manifest: ids come from columns where they are given', async (t) => {
  const { items } = await read(
    t,
    'm.jsonl',
    jsonl(
      { id: 7, image: 'a.jpg', caption: 'one', caption_id: 'c1' },
      { id: '', image: 'b.jpg', caption: ['two', 'three'], caption_id: 12 },
      { id: 7, image: 'a.jpg', caption: 'four' },
      { id: 'k', caption: 'five' },
    ),
  );
  assert.deepEqual(
    items.map((item) => [item.id, item.kind === 'caption' ? item.imageId : item.kind]),
    [
      ['7', 'image'],
      ['c1', '7'],
      ['b.jpg', 'image'],
      ['12', 'b.jpg'],
      ['12#1', 'b.jpg'],
      ['7#1', '7'],
      ['k', null],
    ],
  );
});

test('manifest: an id given to two pictures loses neither', async (t) => {
  const { images, broken } = await read(
    t,
    'm.csv',
    'id,image\n7,a.jpg\n7,b.jpg\n7,b.jpg\n7,a.jpg\n8,b.jpg\n',
  );
  assert.deepEqual(ids(images), ['7', '8']);
  assert.deepEqual(ids(broken), ['m.csv:3', 'm.csv:4']);
  assert.equal(
    reasons(broken)[0],
    'expected one picture per id, received "b.jpg" with the id "7" of another',
  );
});

test('manifest: captions without a picture do not replace each other', async (t) => {
  const { captions } = await read(t, 'm.csv', 'image_id,caption\n5,one\n5,two\n,three\n');
  assert.deepEqual(ids(captions), ['5', '5#1', 'm.csv:4']);
  assert.deepEqual(
    captions.map(({ imageId, imageSource, uri }) => [imageId, imageSource, uri === join(folder, 'm.csv')]),
    [
      ['5', null, true],
      ['5', null, true],
      [null, undefined, true],
    ],
  );
});

test('manifest: columns named by flag', async (t) => {
  const text = 'image,pic,en,de,key,uid,cid\nx.jpg,a.jpg,one,eins,k,u,c\n';
  const { items } = await read(t, 'm.csv', text, {
    imageColumn: 'pic',
    idColumn: 'uid',
    captionColumns: ['de', 'en'],
    captionIdColumn: 'cid',
  });
  assert.deepEqual(
    items.map((item) => [item.id, item.kind === 'caption' ? item.caption : item.uri]),
    [
      ['u', join(folder, 'a.jpg')],
      ['c', 'eins'],
      ['c#1', 'one'],
    ],
  );
  assert.deepEqual(items[0]?.kind === 'image' && items[0].meta, { image: 'x.jpg', key: 'k' });
});

test('manifest: paths are relative to it, absolute, or URLs', async (t) => {
  const { images } = await read(
    t,
    'sub/m.csv',
    'path\n../a.jpg\n/b.jpg\nfile:///c%20d.jpg\nhttp://e/f.jpg\n',
  );
  assert.deepEqual(
    images.map(({ id, uri }) => [id, uri]),
    [
      ['../a.jpg', join(folder, 'a.jpg')],
      ['/b.jpg', '/b.jpg'],
      ['/c d.jpg', '/c d.jpg'],
      ['http://e/f.jpg', 'http://e/f.jpg'],
    ],
  );
});

test('manifest: an abort ends the stream with its reason', async (t) => {
  const path = join(await tempFolder(t, { 'm.jsonl': jsonl({ image: 'a' }, { image: 'b' }) }), 'm.jsonl');
  const abort = new AbortController();
  const reason = new Error('enough');
  await assert.rejects(async () => {
    for await (const _ of (await openSource(path)).items(abort.signal)) abort.abort(reason);
  }, reason);
});

test('manifest: fraction grows with the items taken', async (t) => {
  const path = join(await tempFolder(t, { 'm.csv': 'image\na.jpg\nb.jpg\n' }), 'm.csv');
  const source = await openSource(path);
  const seen: unknown[] = [source.fraction()];
  for await (const _ of source.items()) seen.push(source.fraction());
  assert.deepEqual([...seen, source.fraction()], [0, 0, 0.5, 1]);
});

test('manifest: a caption id that repeats across pictures belongs to the picture, a real clash is refused', async (t) => {
  for (const column of ['caption_id', 'sentid', 'comment_number']) {
    const text = `image,${column},caption\na.jpg,0,one\na.jpg,1,two\nb.jpg,0,three\nb.jpg,1,four\na.jpg,1,five\n`;
    const { captions, images, broken } = await read(t, 'm.csv', text);
    assert.deepEqual(ids(images), ['a.jpg', 'b.jpg']);
    assert.deepEqual(
      captions.map(({ id, imageId, caption }) => [id, imageId, caption]),
      [
        ['0', 'a.jpg', 'one'],
        ['1', 'a.jpg', 'two'],
        ['b.jpg#0', 'b.jpg', 'three'],
        ['b.jpg#1', 'b.jpg', 'four'],
      ],
    );
    assert.deepEqual(reasons(broken), [
      'expected one caption per id, received the id "1" for a second caption of picture "a.jpg"',
    ]);
  }
});

test('manifest: beside image_id, id is the caption as in COCO; a picture may come after its captions', async (t) => {
  const { items } = await read(
    t,
    'm.jsonl',
    jsonl(
      { file_name: 'a.jpg', image_id: 9, id: 661, caption: 'one' },
      { file_name: 'a.jpg', image_id: 9, id: 662, caption: 'two' },
      { image_id: 25, caption: 'three' },
      { file_name: 'b.jpg', image_id: 25, caption: 'four' },
      { image_id: 9, caption: 'five' },
    ),
  );
  assert.deepEqual(
    items.map((item) => [
      item.kind,
      item.id,
      item.kind === 'caption' ? item.imageId : '',
      item.kind === 'caption' ? item.imageSource : '',
    ]),
    [
      ['image', '9', '', ''],
      ['caption', '661', '9', undefined],
      ['caption', '662', '9', undefined],
      ['caption', '25', '25', null],
      ['image', '25', '', ''],
      ['caption', '25#2', '25', undefined],
      ['caption', '9#2', '9', undefined],
    ],
  );
});

test('manifest: one file under several spellings is one picture', async (t) => {
  for (const first of [0, 1, 2, 3, 4]) {
    const place = await tempFolder(t, {});
    const file = join(place, 'a.jpg');
    const spellings = ['a.jpg', './a.jpg', file, String(pathToFileURL(file)), 'x/..//a.jpg'];
    const paths = [spellings[first] ?? '', ...spellings];
    const rows = paths.map((image, n) => ({ image, caption: `caption ${n}` }));
    await writeFile(join(place, 'm.jsonl'), jsonl(...rows));
    const { images, captions } = await collect(join(place, 'm.jsonl'));
    assert.deepEqual(
      images.map(({ uri }) => uri),
      [file],
      paths[0],
    );
    assert.equal(new Set(ids(captions)).size, paths.length, paths[0]);
    assert.deepEqual(new Set(captions.map(({ imageId }) => imageId)), new Set(ids(images)), paths[0]);
  }
});
