import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Item, SourceOptions } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { ids, tempFolder } from './temp-folder.ts';

const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]);

/** What a reading gives and what it leaves out, as counts by reason. */
async function read(path: string, options?: SourceOptions) {
  const source = await openSource(path, options);
  const items = [];
  for await (const item of source.items()) items.push(item);
  const report = source.report?.();
  assert.ok(report);
  const counts = Object.fromEntries(
    Object.entries(report.leftOut).map(([reason, { count }]) => [reason, count]),
  );
  return { images: ids(items.filter(({ kind }) => kind === 'image')), items, counts, report };
}

function skipAsRoot(t: TestContext): boolean {
  if (process.getuid?.() === 0) t.skip('root reads everything');
  return process.getuid?.() === 0;
}

test('pictures are known by their content where the name does not tell', async (t) => {
  const folder = await tempFolder(t, {
    '0a1b2c3d4e': JPEG,
    'photo.jpg!d': JPEG,
    'a.webp-large': 'RIFF\0\0\0\0WEBPVP8 ',
    'b.download': '\0\0\0\x1cftypavif',
    'image.jfi': '',
    'image.pjpeg': '',
    'raw.nef': 'II*\0',
    'film.mp4': '\0\0\0\x1cftypisom',
    page: '<!doctype html>',
    empty: '',
    '0a1b2c3d4e.txt': 'a dog',
  });
  const { images, items, counts } = await read(folder);
  assert.deepEqual(images, [
    '0a1b2c3d4e',
    'a.webp-large',
    'b.download',
    'image.jfi',
    'image.pjpeg',
    'photo.jpg!d',
  ]);
  assert.deepEqual(ids(items.filter(({ kind }) => kind === 'caption')), ['0a1b2c3d4e#0']);
  assert.deepEqual(counts, { other_type: 4 });
});

test('what is left out is counted by its reason, and the first of it named', async (t) => {
  const folder = await tempFolder(t, {
    'a.jpg': '',
    'a.txt': ' \n\t\n',
    'notes.txt': 'beside nothing',
    'captions.csv': 'a,b\n',
    'other.parquet': 'PAR1',
    '.DS_Store': '',
    '.git/x.jpg': '',
    '@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg': JPEG,
    'sub/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg': JPEG,
    '#recycle/old.jpg': '',
    'x.psd.bak': 'no picture',
  });
  const { images, counts, report } = await read(folder);
  assert.deepEqual(images, ['a.jpg']);
  const expected = { hidden: 2, thumbnails: 2, system: 1, other_type: 3, without_picture: 1, blank: 1 };
  assert.deepEqual(counts, expected);
  assert.deepEqual(report.leftOut.thumbnails?.first, ['@eaDir', 'sub/@eaDir']);
  assert.deepEqual(report.leftOut.blank?.first, ['a.txt']);
});

test('only five of each reason are named, however many there are', async (t) => {
  const folder = await tempFolder(
    t,
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}.md`, 'x'])),
  );
  const { report } = await read(folder);
  assert.equal(report.leftOut.other_type?.count, 40);
  assert.equal(report.leftOut.other_type.first.length, 5);
});

test('a file that cannot be opened to look at is counted, one named like a picture is an item', async (t) => {
  if (skipAsRoot(t)) return;
  const folder = await tempFolder(t, { nameless: JPEG, 'a.jpg': JPEG });
  for (const name of ['nameless', 'a.jpg']) await chmod(join(folder, name), 0);
  const { images, counts } = await read(folder);
  assert.deepEqual(images, ['a.jpg']);
  assert.deepEqual(counts, { unreadable: 1 });
});

test('a linked folder is read once: at its own place, or at the first link to it', async (t) => {
  const elsewhere = await tempFolder(t, { '2022/linked.jpg': '', '2022/deep/b.jpg': '' });
  const folder = await tempFolder(t, { 'own/a.jpg': '', 'own/a.txt': 'here', '.store/h.jpg': '' });
  await symlink(join(elsewhere, '2022'), join(folder, 'b-first'));
  await symlink(elsewhere, join(folder, 'c-second'));
  await symlink(join(folder, 'own'), join(folder, 'a-before-own'));
  await symlink(join(folder, '.store'), join(folder, 'd-of-hidden'));
  const { images, counts, report } = await read(folder);
  assert.deepEqual(images, ['b-first/deep/b.jpg', 'b-first/linked.jpg', 'd-of-hidden/h.jpg', 'own/a.jpg']);
  assert.deepEqual(counts, { hidden: 1, linked: 2 });
  assert.deepEqual(report.leftOut.linked?.first, ['a-before-own', 'c-second/2022']);
});

test('rings of links end, inside the source and outside', async (t) => {
  const elsewhere = await tempFolder(t, { 'x/e.jpg': '' });
  const folder = await tempFolder(t, { 'a/real.jpg': '' });
  await symlink(folder, join(folder, 'a/up'));
  await symlink(join(folder, 'a'), join(folder, 'a/self'));
  await symlink(elsewhere, join(folder, 'out'));
  await symlink(elsewhere, join(elsewhere, 'x/ring'));
  await symlink(folder, join(elsewhere, 'home'));
  await symlink('loop', join(folder, 'loop'));
  const { images, counts } = await read(folder);
  assert.deepEqual(images, ['a/real.jpg', 'out/x/e.jpg']);
  assert.deepEqual(counts, { linked: 4, unreadable: 1 });
});

test('a source that is itself a link is read, and links back to it are not', async (t) => {
  const folder = await tempFolder(t, { 'a.jpg': '' });
  const link = join(await tempFolder(t), 'link');
  await symlink(folder, link);
  await symlink(link, join(folder, 'back'));
  const { images, counts } = await read(link);
  assert.deepEqual(images, ['a.jpg']);
  assert.deepEqual(counts, { linked: 1 });
});

test('--include and --exclude: names anywhere, paths from the top, folders whole, what is hidden by its name', async (t) => {
  const files = [
    'a.jpg',
    'a.png',
    'x/b.jpg',
    'x/y/c.jpg',
    '.h/d.jpg',
    '@eaDir/t.jpg',
    'x/.e.jpg',
    'é/[1].jpg',
  ];
  const folder = await tempFolder(t, Object.fromEntries(files.map((name) => [name, ''])));
  const images = async (options: SourceOptions) => (await read(folder, options)).images;
  assert.deepEqual(await images({ include: ['*.png'] }), ['a.png']);
  assert.deepEqual(await images({ include: ['x'] }), ['x/b.jpg', 'x/y/c.jpg']);
  assert.deepEqual(await images({ include: ['x/*.jpg'], exclude: ['b.*'] }), []);
  assert.deepEqual(await images({ exclude: ['./x/y/'] }), ['a.jpg', 'a.png', 'x/b.jpg', 'é/[1].jpg']);
  assert.deepEqual(await images({ exclude: ['*.jpg'] }), ['a.png']);
  assert.deepEqual(await images({ exclude: ['[1].jpg', 'x'] }), ['a.jpg', 'a.png']);
  assert.deepEqual(await images({ include: ['.h', '@eaDir'] }), ['.h/d.jpg', '@eaDir/t.jpg']);
  assert.deepEqual(await images({ include: ['x/**', '.e.jpg'] }), ['x/.e.jpg', 'x/b.jpg', 'x/y/c.jpg']);
  assert.deepEqual(await images({ include: ['e\u0301'] }), ['é/[1].jpg']);
  const { counts } = await read(folder, { include: ['*.png'], exclude: ['x'] });
  assert.deepEqual(counts, { not_included: 2, hidden: 1, thumbnails: 1, excluded: 1 });
});

test('--exclude holds for pictures that a table names, and takes sidecars out', async (t) => {
  const folder = await tempFolder(t, {
    'metadata.csv': 'file_name,text\na.jpg,one\nb.jpg,two\n',
    'a.jpg': '',
    'b.jpg': '',
    'a.json': '{"caption": "three"}',
  });
  const { items, counts } = await read(folder, { exclude: ['b.jpg', '*.json'] });
  assert.deepEqual(ids(items), ['a.jpg', 'a.jpg#0']);
  assert.deepEqual(counts, { excluded: 3 });
});

test('columns with texts are named where nothing gave a caption, and --caption-column reads them', async (t) => {
  const prompt = '{"file_name": "1.jpg", "prompt": "a red circle", "score": 5, "day": "2020-01-01"}';
  const folder = await tempFolder(t, {
    'metadata.jsonl': prompt,
    '1.jpg': '',
    'm.csv': 'image,words,n\n1.jpg,a red circle,3\n',
  });
  const { report } = await read(folder);
  assert.deepEqual(report.captionCandidates, ['prompt']);
  assert.deepEqual((await read(join(folder, 'm.csv'))).report.captionCandidates, ['words']);
  const asked = await read(folder, { captionColumns: ['prompt'] });
  assert.deepEqual([asked.report.captionCandidates, asked.items.length], [[], 2]);
  const beside = await tempFolder(t, { '1.jpg': '', '1.json': prompt });
  assert.deepEqual((await read(beside)).report.captionCandidates, ['file_name', 'prompt']);
  assert.equal((await read(beside, { captionColumns: ['prompt'] })).items.length, 2);
});

test('a sidecar or table that leaves its folder by a link is refused, one that stays is read', async (t) => {
  const secret = await tempFolder(t, {
    'secret.txt': 'a secret',
    'rows.csv': 'file_name,text\na.jpg,a secret\n',
  });
  const folder = await tempFolder(t, { 'a.jpg': '', 'b.jpg': '', words: 'a cat' });
  await mkdir(join(folder, 'sub'));
  await writeFile(join(folder, 'sub/c.jpg'), '');
  await symlink(join(secret, 'secret.txt'), join(folder, 'a.txt'));
  await symlink('words', join(folder, 'b.txt'));
  await symlink('../words', join(folder, 'sub/c.txt'));
  await symlink(join(secret, 'rows.csv'), join(folder, 'metadata.csv'));
  const { items } = await read(folder);
  const captions = items.flatMap((item) => (item.kind === 'caption' ? [item.caption] : []));
  assert.deepEqual(captions, ['a cat']);
  const broken = items.flatMap((item) => (item.kind === 'broken' ? [[item.id, item.error.code]] : []));
  assert.deepEqual(broken, [
    ['metadata.csv', 'SOURCE_ROW_INVALID'],
    ['a.txt', 'SOURCE_ROW_INVALID'],
    ['sub/c.txt', 'SOURCE_ROW_INVALID'],
  ]);
});

test("one file under two ids of rows is two pictures, counted; where the column is the captions' own, it is one", async (t) => {
  const folder = await tempFolder(t);
  const rows = [
    'id,image,caption',
    '1,a.jpg,one',
    '2,a.jpg,two',
    '3,./a.jpg,three',
    '1,a.jpg,again',
    '4,b.jpg,four',
  ];
  await writeFile(join(folder, 'm.csv'), rows.join('\n'));
  const guessed = await read(join(folder, 'm.csv'));
  const pictures = (items: readonly Item[]): string[] =>
    items.filter(({ kind }) => kind === 'image').map(({ id }) => id);
  assert.deepEqual([pictures(guessed.items), guessed.report.sharedFiles], [['1', '2', '3', '4'], 2]);
  await writeFile(join(folder, 'm.csv'), rows.filter((row) => row !== '1,a.jpg,again').join('\n'));
  const named = await read(join(folder, 'm.csv'), { captionIdColumn: 'id' });
  assert.deepEqual([pictures(named.items), named.report.sharedFiles], [['a.jpg', 'b.jpg'], 0]);
});
