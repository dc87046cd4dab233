import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { readPicture } from '#pictures/read-picture.ts';
import { unpackFor } from '#pictures/unpacked-tar.ts';
import type { Item, SourceOptions } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { TAR_END, tarFile, tarHeader } from './tar-file.ts';

const LAYOUTS = fixture('layouts');
const MAX_BYTES = 1e6;

async function read(spec: string, options: SourceOptions = {}) {
  const source = await openSource(spec, options);
  const items: Item[] = [];
  for await (const item of source.items()) items.push(item);
  const of = <Kind extends Item['kind']>(kind: Kind) =>
    items.filter((item): item is Extract<Item, { kind: Kind }> => item.kind === kind);
  return {
    images: of('image'),
    captions: of('caption'),
    broken: of('broken'),
    report: source.report?.(),
    fraction: source.fraction(),
  };
}

async function put(t: Parameters<typeof temporaryFolder>[0], name: string, ...parts: readonly Buffer[]) {
  const path = join(await temporaryFolder(t), name);
  await writeFile(path, Buffer.concat(parts));
  return path;
}

async function contentOf(uri: string): Promise<Uint8Array> {
  await unpackFor(uri);
  return readPicture(uri, MAX_BYTES);
}

describe('a folder of tars as WebDataset writes them', () => {
  test('GNU, PAX and gzip: every picture with its caption, segments and marks left out', async () => {
    const { images, captions, broken, report, fraction } = await read(join(LAYOUTS, 'webdataset'));
    // Three of them are broken pictures, which only decoding shows.
    assert.equal(images.length, 12 + 3);
    const good = images.filter(({ id }) => !id.includes('broken'));
    const said = captions.filter(({ imageId }) => imageId !== null && !imageId.includes('broken'));
    assert.equal(said.length, 12);
    assert.deepEqual(new Set(said.map(({ imageId }) => imageId)), new Set(good.map(({ id }) => id)));
    assert.equal(captions.filter(({ imageId }) => imageId === null).length, 3);
    assert.deepEqual(broken, []);
    assert.ok(images.some(({ id }) => id === '00000.tar/train/é001'));
    assert.ok(images.some(({ id }) => id === `00001.tar/deep/er/${'n'.repeat(110)}/006`));
    assert.ok(images.some(({ id }) => id === '00002.tar.gz/v1.0/x011'));
    const score = images.find(({ id }) => id === '00000.tar/v1.0/x003')?.meta;
    assert.deepEqual(score, { score: 3.5 });
    assert.deepEqual(
      captions.find(({ imageId }) => imageId === '00000.tar/v1.0/x003')?.caption,
      'a orange circle',
    );
    assert.deepEqual([report?.leftOut.system?.count, report?.leftOut.other_type?.count], [3, 12]);
    assert.equal(fraction, 1);
    for (const { uri } of images) assert.ok((await contentOf(uri)).length > 0);
  });

  for (const form of ['img2dataset-files', 'img2dataset-webdataset'] as const)
    test(`${form}: what it could not download is listed as what it is`, async () => {
      const { images, captions, broken } = await read(join(LAYOUTS, form));
      assert.deepEqual([images.length, captions.length, broken.length], [9, 8, 3]);
      assert.ok(captions.some(({ caption }) => caption === 'line one\nline two 2'));
      const ids = form === 'img2dataset-files' ? '00000/' : '00000.tar/';
      assert.deepEqual(
        broken.map(({ id, uri, error }) => [id, uri, error.code]),
        [3, 5, 8].map((n) => [`${ids}00000000${n}`, `https://example.org/${n}.jpg`, 'ITEM_NOT_DOWNLOADED']),
      );
      assert.match(broken[1]?.error.message ?? '', /failed_to_resize \(HTTP Error 404: Not Found\)/);
    });
});

describe('a tar of img2dataset that is named alone', () => {
  for (const spec of ['00000.tar', '{00000..00000}.tar::00000.tar'])
    test(`${spec}: what was not downloaded is listed too`, async () => {
      const { images, captions, broken } = await read(
        spec
          .split('::')
          .map((one) => join(LAYOUTS, 'img2dataset-webdataset', one))
          .join('::'),
      );
      assert.deepEqual([images.length, captions.length], [9, 8]);
      assert.deepEqual(
        broken.map(({ id, error }) => [id, error.code]),
        [3, 5, 8].map((n) => [`00000.tar/00000000${n}`, 'ITEM_NOT_DOWNLOADED']),
      );
    });

  test('a table beside it that is damaged is listed, and costs no picture', async (t) => {
    const folder = await temporaryFolder(t);
    const from = join(LAYOUTS, 'img2dataset-webdataset');
    await copyFile(join(from, '00000.tar'), join(folder, '00000.tar'));
    const table = await readFile(join(from, '00000.parquet'));
    await writeFile(join(folder, '00000.parquet'), table.fill(0xff, 4, 1500));
    for (const spec of [folder, join(folder, '00000.tar')]) {
      const { images, broken } = await read(spec);
      assert.equal(images.length, 9);
      assert.deepEqual(
        broken.map(({ id, error }) => [id, error.code]),
        [['00000.parquet', 'SOURCE_ROW_INVALID']],
      );
    }
  });
});

describe('tars', () => {
  test('a range names one after the other; one that is not there is listed', async () => {
    const { images, broken } = await read(join(LAYOUTS, 'webdataset/{00000..00001}.tar'));
    assert.deepEqual([images.length, broken.length], [10, 0]);
    const more = await read(join(LAYOUTS, 'webdataset/{00001..00003}.tar'));
    assert.deepEqual([more.images.length, more.broken.map(({ id }) => id)], [5, ['00002.tar', '00003.tar']]);
    await assert.rejects(openSource('x-1.tar'), vlmoError('SOURCE_NOT_FOUND', 'x-1.tar'));
    assert.deepEqual(
      (await read('x-{1..1}.tar')).broken.map(({ id }) => id),
      ['x-1.tar'],
    );
    await assert.rejects(openSource('x-{0..9999999}.tar'), vlmoError('USAGE_INVALID'));
  });

  test('of one name in several folders each has ids of its own; a list is read in its order, each tar once', async (t) => {
    const folder = await temporaryFolder(t);
    for (const part of ['1', '2', '10']) {
      await mkdir(join(folder, part));
      await writeFile(join(folder, part, 'x.tar'), Buffer.concat([tarFile('a.txt', part), TAR_END]));
    }
    const all = ['1/x.tar/a#0', '2/x.tar/a#0', '10/x.tar/a#0'];
    const idsOf = async (spec: string) => (await read(spec)).captions.map(({ id }) => id);
    assert.deepEqual(await idsOf(join(folder, '{1,2,10}/x.tar')), all);
    const list = [`${folder}/10/x.tar`, `${folder}/2/x.tar`, `${folder}/./10/x.tar`].join('::');
    assert.deepEqual(await idsOf(list), [all[2], all[1]]);
    assert.equal((await openSource(list)).uri, list.replace('/./', '/'));
    assert.deepEqual(await idsOf(join(folder, '2/x.tar')), ['x.tar/a#0']);
  });

  test('a name that is there is that file, also with braces in it; a folder is one', async (t) => {
    const path = await put(t, '{1..2}.tar', tarFile('a.txt', 'in braces'), TAR_END);
    assert.deepEqual(
      (await read(path)).captions.map(({ id }) => id),
      ['{1..2}.tar/a#0'],
    );
    const folder = join(await temporaryFolder(t), 'folder.tar');
    await mkdir(folder);
    await writeFile(join(folder, 'a.png'), await drawPicture(1));
    assert.deepEqual(
      (await read(folder)).images.map(({ id }) => id),
      ['a.png'],
    );
  });

  test('the part of a folder that is read counts its tars by their size', async (t) => {
    const folder = await temporaryFolder(t);
    const files = Array.from({ length: 200 }, (_, n) => tarFile(`${n}.txt`, Buffer.alloc(5000, 0x61)));
    for (const name of ['1.tar', '2.tar'])
      await writeFile(join(folder, name), Buffer.concat([...files, TAR_END]));
    const source = await openSource(folder);
    const parts: number[] = [];
    for await (const _ of source.items()) parts.push(source.fraction() ?? 0);
    assert.ok(parts.every((part, n) => n === 0 || part >= (parts[n - 1] ?? 0)));
    for (const [n, expected] of [
      [100, 0.25],
      [200, 0.5],
      [300, 0.75],
    ] as const)
      assert.ok(Math.abs((parts[n] ?? 0) - expected) < 0.01, `${parts[n]}`);
    assert.equal(source.fraction(), 1);
  });

  test('in a folder they come by their numbers, behind pictures and folders', async (t) => {
    const folder = await temporaryFolder(t);
    for (const name of ['10.tar', '9.tar', 'b-2.tar', 'b-10.tar'])
      await writeFile(join(folder, name), Buffer.concat([tarFile('a.txt', name), TAR_END]));
    await writeFile(join(folder, 'z.png'), await drawPicture(1));
    const source = await openSource(folder);
    const ids: string[] = [];
    for await (const { id } of source.items()) ids.push(id);
    assert.deepEqual(ids, ['z.png', '9.tar/a#0', '10.tar/a#0', 'b-2.tar/a#0', 'b-10.tar/a#0']);
  });

  for (const [ending, pack] of [
    ['tar.gz', (bytes: Buffer) => gzipSync(bytes)],
    ['tgz', (bytes: Buffer) => gzipSync(bytes)],
    ['tar.zst', (bytes: Buffer) => zstdCompressSync(bytes)],
  ] as const)
    test(`${ending}: the same items, each with its content`, async (t) => {
      const picture = await drawPicture(1);
      const whole = Buffer.concat([tarFile('a/1.png', picture), tarFile('a/1.txt', ' red '), TAR_END]);
      const path = await put(t, `x.${ending}`, pack(whole));
      const { images, captions, broken } = await read(path);
      assert.deepEqual(
        [images.map(({ id }) => id), captions.map(({ caption }) => caption), broken],
        [[`x.${ending}/a/1`], ['red'], []],
      );
      assert.deepEqual(Buffer.from(await contentOf(images[0]?.uri ?? '')), picture);
    });

  test('tar.xz: the same items as of the same tar in gzip', async () => {
    const [xz, gzip] = [
      await read(join(LAYOUTS, '00002.tar.xz')),
      await read(join(LAYOUTS, 'webdataset/00002.tar.gz')),
    ];
    assert.deepEqual([xz.images.length, xz.captions.length, xz.broken.length], [5, 6, 0]);
    for (const [n, { uri }] of xz.images.entries())
      assert.deepEqual(await contentOf(uri), await contentOf(gzip.images[n]?.uri ?? ''));
  });

  test('a packed one that is cut gives what comes before, and says so', async (t) => {
    const whole = Buffer.concat([
      tarFile('1.png', await drawPicture(1)),
      tarFile('2.png', crypto.getRandomValues(new Uint8Array(20_000))),
      TAR_END,
    ]);
    const packed = gzipSync(whole);
    const { images, broken } = await read(await put(t, 'x.tar.gz', packed.subarray(0, 12_000)));
    assert.deepEqual(
      images.map(({ id }) => id),
      ['x.tar.gz/1'],
    );
    assert.equal(broken[0]?.id, 'x.tar.gz/2.png');
  });

  test('one that unpacks to far more than it is, is refused', async (t) => {
    const bomb = gzipSync(Buffer.concat([tarFile('1.png', Buffer.alloc(2 ** 27)), TAR_END]));
    const { images, broken } = await read(await put(t, 'x.tgz', bomb));
    assert.deepEqual([images.length, broken[0]?.error.code], [0, 'SOURCE_UNSUPPORTED']);
  });

  test('cut in the middle: the last entry is listed, and a tar without its end mark', async (t) => {
    const first = tarFile('1.png', await drawPicture(1));
    const second = tarFile('2.png', new Uint8Array(5000));
    const cut = await read(await put(t, 'x.tar', first, second.subarray(0, 2000)));
    assert.equal(cut.images.length, 1);
    assert.match(
      cut.broken[0]?.error.message ?? '',
      /expected 5000 bytes of "2\.png", received 1488: the tar is cut/,
    );
    const unended = await read(await put(t, 'x.tar', first));
    assert.equal(unended.images.length, 1);
    assert.match(unended.broken[0]?.error.message ?? '', /the mark of its end/);
  });

  test('behind damage it goes on with the next file', async (t) => {
    const parts = [tarFile('1.txt', 'one'), Buffer.alloc(1024, 0x41), tarFile('2.txt', 'two'), TAR_END];
    const { captions, broken } = await read(await put(t, 'x.tar', ...parts));
    assert.deepEqual(
      captions.map(({ caption }) => caption),
      ['one', 'two'],
    );
    assert.match(broken[0]?.error.message ?? '', /at byte 1024, .+goes on at byte 2048/);
    const none = await read(await put(t, 'y.tar', Buffer.alloc(4096, 0x41)));
    assert.match(none.broken[0]?.error.message ?? '', /nothing follows/);
  });

  test('sparse files, names that lead out, second samples of a key and long texts are listed; links and folders are left out', async (t) => {
    const parts = [
      tarFile('sparse.png', 'x', 'S'),
      tarFile('../../out.txt', 'out'),
      tarFile('a.txt', 'first'),
      tarFile('b.txt', Buffer.alloc(2 ** 20 + 1, 0x61)),
      tarFile('a.txt', 'second'),
      tarFile('c.txt', Buffer.from([0xff, 0xfe, 0x61])),
      tarHeader('link.png', 0, '2'),
      tarHeader('folder/', 0, '5'),
      tarFile('d.json', '{"caption":"in json","__proto__":{"a":1}}'),
      tarFile('e.cls', '7'),
      TAR_END,
    ];
    const { captions, broken, report } = await read(await put(t, 'x.tar', ...parts));
    assert.deepEqual(
      captions.map(({ id, caption }) => [id, caption]),
      [
        ['x.tar/a#0', 'first'],
        ['x.tar/d#0', 'in json'],
      ],
    );
    assert.deepEqual(
      broken.map(({ id }) => id),
      ['x.tar/sparse.png', 'x.tar/../../out.txt', 'x.tar/b.txt', 'x.tar/a.txt', 'x.tar/c.txt'],
    );
    assert.equal(report?.leftOut.other_type?.count, 1);
  });

  for (const kind of ['gnu', 'pax'])
    test(`behind a sparse file as tar --format=${kind} writes it, with more holes than its header takes, the next is read`, async () => {
      const { captions, broken } = await read(join(LAYOUTS, `sparse-${kind}.tar.gz`));
      assert.deepEqual(
        captions.map(({ caption }) => caption),
        ['before', 'behind'],
      );
      assert.deepEqual(
        broken.map(({ id, error }) => [id, error.code]),
        [[`sparse-${kind}.tar.gz/holes.bin`, 'SOURCE_ROW_INVALID']],
      );
    });

  test('what was joined on behind the end is said, and padding is not', async (t) => {
    const one = Buffer.concat([tarFile('1.txt', 'one'), TAR_END]);
    const { captions, broken } = await read(await put(t, 'x.tar', one, tarFile('2.txt', 'two'), TAR_END));
    assert.equal(captions.length, 1);
    assert.match(broken[0]?.error.message ?? '', /received more files from byte 2048 on/);
    const padded = await read(await put(t, 'x.tar', one, Buffer.alloc(300_000)));
    assert.deepEqual([padded.captions.length, padded.broken], [1, []]);
  });

  test('a picture is known by its content where its name does not tell; two of one sample have two ids', async (t) => {
    const png = await drawPicture(1);
    const jpeg = await drawPicture(2, 'jpeg');
    const parts = [tarFile('a.img', png), tarFile('b.jpg', jpeg), tarFile('b.png', png), TAR_END];
    const { images } = await read(await put(t, 'x.tar', ...parts));
    assert.deepEqual(
      images.map(({ id }) => id),
      ['x.tar/a', 'x.tar/b', 'x.tar/b.png'],
    );
    const twice = await read(await put(t, 'x.tar', tarFile('a.png', png), tarFile('a.PNG', png), TAR_END));
    assert.deepEqual([twice.images.length, twice.broken.map(({ id }) => id)], [1, ['x.tar/a.PNG']]);
  });

  test('a tar that was written anew is not taken for the old one', async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, 'x.tar');
    await writeFile(path, Buffer.concat([tarFile('a.png', await drawPicture(1)), TAR_END]));
    const [old] = (await read(path)).images;
    await writeFile(path, Buffer.concat([tarFile('b.png', Buffer.alloc(600, 1)), TAR_END]));
    assert.throws(
      () => readPicture(old?.uri ?? '', MAX_BYTES),
      vlmoError('ITEM_NOT_FOUND', 'index it again'),
    );
    assert.throws(
      () => readPicture(`tar+file://${path}#offset=512&size=600`, 599),
      vlmoError('IMAGE_TOO_LARGE', '--max-image-bytes'),
    );
    for (const place of ['', 'offset=0&size=5', 'offset=512&size=-1', 'offset=1e99&size=5'])
      assert.throws(
        () => readPicture(`tar+file://${path}#${place}`, MAX_BYTES),
        vlmoError('ITEM_UNREADABLE'),
      );
    await rename(path, join(folder, 'gone'));
    assert.throws(() => readPicture(old?.uri ?? '', MAX_BYTES), vlmoError('ITEM_NOT_FOUND'));
  });

  test('a hundred thousand files are walked without their contents being read', async (t) => {
    const one = tarFile('000000.png', new Uint8Array(2000));
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, 'x'));
    const path = join(folder, 'x/large.tar');
    const parts: Buffer[] = [];
    for (let n = 0; n < 20_000; n++)
      parts.push(tarHeader(`${String(n).padStart(6, '0')}.png`, 2000), one.subarray(512));
    await writeFile(path, Buffer.concat([...parts, TAR_END]));
    await utimes(path, 1, 1);
    const { images } = await read(join(folder, 'x'));
    assert.deepEqual([images.length, images.at(-1)?.id], [20_000, 'large.tar/019999']);
    assert.equal((await readFile(path)).length, 20_000 * 2560 + 1024);
  });
});
