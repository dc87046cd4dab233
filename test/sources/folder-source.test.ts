import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { openSource } from '#sources/open-source.ts';
import { collect, ids, reasons, tempFolder } from './temp-folder.ts';

test('folder source: pictures of all folders in the order of their names, ids relative, uris absolute', async (t) => {
  const folder = await tempFolder(t, {
    'b.JPG': '',
    'a/2.png': '',
    'a/10.webp': '',
    'c.d/x.jpg': '',
    'Z.gif': '',
    'é.jpg': '',
    'notes.txt': 'no caption',
    'script.ts': '',
    '.hidden.jpg': '',
    '.git/x.jpg': '',
    noending: '',
    '.jpg': '',
  });
  const { items } = await collect(folder);
  assert.deepEqual(ids(items), ['Z.gif', 'a/10.webp', 'a/2.png', 'b.JPG', 'c.d/x.jpg', 'é.jpg']);
  assert.deepEqual(items[1], { kind: 'image', id: 'a/10.webp', uri: join(folder, 'a/10.webp'), meta: {} });
});

test('folder source: all endings of pictures enter, also those that cannot be decoded', async (t) => {
  const endings = 'jpg jpeg jpe jfif png webp gif tif tiff avif svg bmp heic heif jxl jp2 ico psd'.split(' ');
  const folder = await tempFolder(t, Object.fromEntries(endings.map((ending) => [`x.${ending}`, ''])));
  assert.deepEqual(ids((await collect(folder)).images), endings.map((ending) => `x.${ending}`).sort());
});

test('folder source: a folder named x.jpg is a folder, an empty folder is nothing', async (t) => {
  const folder = await tempFolder(t, { 'x.jpg/y.png': '' });
  await mkdir(join(folder, 'empty'));
  assert.deepEqual(ids((await collect(folder)).items), ['x.jpg/y.png']);
});

test('folder source: follows links to files, not to folders; a link to nothing stays listed', async (t) => {
  const folder = await tempFolder(t, { 'a/real.jpg': '', 'words.md': 'a cat' });
  await symlink(join(folder, 'a/real.jpg'), join(folder, 'link.jpg'));
  await symlink(join(folder, 'words.md'), join(folder, 'link.txt'));
  await symlink(folder, join(folder, 'a/loop'));
  await symlink(join(folder, 'a'), join(folder, 'folder.jpg'));
  await symlink(join(folder, 'gone'), join(folder, 'gone.jpg'));
  const { items } = await collect(folder);
  assert.deepEqual(ids(items), ['a/real.jpg', 'gone.jpg', 'link.jpg', 'link.jpg#0']);
});

test('folder source: a pipe is broken and does not block', {
  skip: process.platform === 'win32',
}, async (t) => {
  const folder = await tempFolder(t, { 'a.jpg': '' });
  for (const name of ['p.jpg', 'a.txt', 'metadata.csv']) execFileSync('mkfifo', [join(folder, name)]);
  await symlink(join(folder, 'a.txt'), join(folder, 'a.json'));
  const { images, broken } = await collect(folder);
  assert.deepEqual(ids(images), ['a.jpg']);
  assert.deepEqual(ids(broken).toSorted(), ['a.json', 'a.txt', 'metadata.csv', 'p.jpg']);
});

test('folder source: NAME.txt is one caption, however many lines it has', async (t) => {
  const folder = await tempFolder(t, {
    'x/a.jpg': '',
    'x/a.txt': '\uFEFF a cat \r\n\r\n  \nzwei Hunde\n',
    'x/b.txt': 'lone',
  });
  const { items } = await collect(folder);
  const uri = join(folder, 'x/a.jpg');
  const caption = 'a cat \n\n  \nzwei Hunde';
  assert.deepEqual(items, [
    { kind: 'image', id: 'x/a.jpg', uri, meta: {} },
    { kind: 'caption', id: 'x/a.jpg#0', imageId: 'x/a.jpg', uri, caption, meta: {} },
  ]);
  const { captions } = await collect(folder, { captionLines: true });
  assert.deepEqual(
    captions.map(({ id, caption }) => [id, caption]),
    [
      ['x/a.jpg#0', 'a cat'],
      ['x/a.jpg#1', 'zwei Hunde'],
    ],
  );
});

test('folder source: NAME.json gives captions and meta, without repeating NAME.txt', async (t) => {
  const folder = await tempFolder(t, {
    'a.jpg': '',
    'a.txt': 'a cat',
    'a.json': '{"caption": "a cat", "captions": ["a pet", ""], "text": null, "score": 0.5, "tags": ["x"]}',
    'b.jpg': '',
    'b.json': '{"text": "a dog"}',
  });
  const { items, captions } = await collect(folder);
  const meta = { score: 0.5, tags: ['x'] };
  assert.deepEqual(items[0], { kind: 'image', id: 'a.jpg', uri: join(folder, 'a.jpg'), meta });
  assert.deepEqual(
    captions.map(({ id, caption, meta }) => [id, caption, meta]),
    [
      ['a.jpg#0', 'a cat', meta],
      ['a.jpg#1', 'a pet', meta],
      ['b.jpg#0', 'a dog', {}],
    ],
  );
});

test('folder source: a sidecar that cannot be read is broken, its picture is not', async (t) => {
  const files = {
    '1.json': '{"caption": ',
    '2.json': '[1]',
    '3.json': '{"caption": {"words": "x"}}',
    '4.json': 'null',
    '5.txt': new Uint8Array([0x61, 0xff]),
    '6.txt': 'x'.repeat(1024 * 1024 + 1),
    '7.json': '',
    '8.json': `{"x": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
  };
  const pictures = Object.fromEntries(Object.keys(files).map((name) => [`s/${name[0]}.jpg`, '']));
  const sidecars = Object.fromEntries(Object.entries(files).map(([name, text]) => [`s/${name}`, text]));
  const folder = await tempFolder(t, {
    ...pictures,
    ...sidecars,
    's/9.jpg': '',
    's/9.txt': 'x'.repeat(1024 * 1024),
  });
  const { images, broken, captions } = await collect(folder);
  assert.equal(images.length, 9);
  assert.equal(captions.length, 1);
  assert.deepEqual(ids(broken), Object.keys(sidecars));
  assert.equal(broken[0]?.uri, join(folder, 's/1.json'));
  for (const { error } of broken) {
    assert.equal(error.code, 'SOURCE_ROW_INVALID');
    assert.match(error.message, /^Cannot read sidecar ".*": expected .*, received /);
  }
});

test('folder source: __proto__ in a sidecar changes no prototype', async (t) => {
  const folder = await tempFolder(t, {
    'a.jpg': '',
    'a.json': '{"__proto__": {"polluted": 1}, "text": "x"}',
  });
  const [image] = (await collect(folder)).images;
  assert.ok(image);
  assert.equal(Object.getPrototypeOf(image.meta), Object.prototype);
  assert.deepEqual(Object.keys(image.meta), ['__proto__']);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test('folder source: metadata.jsonl names pictures once and first, then come the others', async (t) => {
  const rows = [
    { file_name: 'z.jpg', text: 'one', label: 3 },
    { file_name: 'sub/a.jpg', captions: ['two', 'three'] },
    { file_name: './z.jpg', caption: 'four' },
    { file_name: 'gone.jpg' },
  ];
  const folder = await tempFolder(t, {
    'root.png': '',
    'set/metadata.jsonl': rows.map((row) => JSON.stringify(row)).join('\n'),
    'set/z.jpg': '',
    'set/z.txt': 'five',
    'set/other.jpg': '',
    'set/sub/a.jpg': '',
    'set/sub/b.jpg': '',
  });
  const { items } = await collect(folder);
  assert.deepEqual(ids(items), [
    'root.png',
    'set/z.jpg',
    'set/z.jpg#0',
    'set/sub/a.jpg',
    'set/sub/a.jpg#0',
    'set/sub/a.jpg#1',
    'set/z.jpg#1',
    'set/gone.jpg',
    'set/other.jpg',
    'set/sub/b.jpg',
    'set/z.jpg#2',
  ]);
  assert.deepEqual(items[1], {
    kind: 'image',
    id: 'set/z.jpg',
    uri: join(folder, 'set/z.jpg'),
    meta: { label: 3 },
  });
});

test('folder source: metadata.csv in nested folders', async (t) => {
  const folder = await tempFolder(t, {
    'metadata.csv': 'file_name,text,score\nsub/a.jpg,one,0.5\n',
    'sub/metadata.csv': 'file_name,text\na.jpg,two\nb.jpg,three\n',
    'sub/a.jpg': '',
    'sub/b.jpg': '',
  });
  const { items } = await collect(folder);
  assert.deepEqual(ids(items), ['sub/a.jpg', 'sub/a.jpg#0', 'sub/a.jpg#1', 'sub/b.jpg', 'sub/b.jpg#0']);
  assert.deepEqual(items[0]?.kind === 'image' && items[0].meta, { score: '0.5' });
});

test('folder source: metadata rows cannot name files outside their folder', async (t) => {
  const names = ['../secret.jpg', '/etc/passwd.jpg', 'x/../../secret.jpg', 'file:///etc/x.jpg', ''];
  const folder = await tempFolder(t, {
    'secret.jpg': '',
    'set/metadata.jsonl': names.map((file_name) => JSON.stringify({ file_name })).join('\n'),
    'set/a.jpg': '',
  });
  const { images, broken } = await collect(folder);
  assert.deepEqual(ids(images), ['secret.jpg', 'set/a.jpg']);
  assert.deepEqual(
    ids(broken),
    ids(broken).map((_, index) => `set/metadata.jsonl:${index + 1}`),
  );
  assert.equal(broken.length, names.length);
});

test('folder source: a metadata file of another kind is broken and the pictures are given', async (t) => {
  const folder = await tempFolder(t, { 'metadata.csv': 'a,b\n1,2\n', 'a.jpg': '' });
  const { images, broken } = await collect(folder);
  assert.deepEqual(ids(images), ['a.jpg']);
  assert.deepEqual(ids(broken), ['metadata.csv']);
  assert.deepEqual(reasons(broken), [
    'expected one of the columns "file_name", received the columns "a", "b"',
  ]);
});

test('folder source: fraction is unknown, then grows to 1', async (t) => {
  const names = Array.from({ length: 100 }, (_, index) => [`${index % 10}/${index}.jpg`, ''] as const);
  const source = await openSource(await tempFolder(t, Object.fromEntries(names)));
  assert.equal(source.fraction(), undefined);
  let last = 0;
  for await (const _ of source.items()) {
    await turn();
    const fraction = source.fraction() ?? last;
    assert.ok(fraction >= last && fraction <= 1);
    last = fraction;
  }
  assert.equal(source.fraction(), 1);
});

test('folder source: an abort ends the stream with its reason', async (t) => {
  const source = await openSource(await tempFolder(t, { 'a.jpg': '', 'b.jpg': '' }));
  const abort = new AbortController();
  const reason = new Error('enough');
  await assert.rejects(async () => {
    for await (const _ of source.items(abort.signal)) abort.abort(reason);
  }, reason);
});

test('folder source: a reader that stops does not keep the process alive', async (t) => {
  const names = Array.from({ length: 300 }, (_, index) => [`${index}/a.jpg`, ''] as const);
  const folder = await tempFolder(t, Object.fromEntries(names));
  const script = `
    const { openSource } = await import(${JSON.stringify(import.meta.resolve('#sources/open-source.ts'))});
    const items = (await openSource(${JSON.stringify(folder)})).items()[Symbol.asyncIterator]();
    console.log((await items.next()).value.id);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    timeout: 20_000,
  });
  assert.equal(output.toString().trim(), '0/a.jpg');
});
