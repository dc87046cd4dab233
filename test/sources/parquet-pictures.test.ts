import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parquetMetadataAsync } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { readContent } from '#pictures/read-content.ts';
import type { Item } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { drawPicture } from '../pipeline/pictures.ts';

const LAYOUTS = fixture('layouts');

async function read(spec: string) {
  const source = await openSource(spec);
  const items: Item[] = [];
  for await (const item of source.items()) items.push(item);
  const of = <Kind extends Item['kind']>(kind: Kind) =>
    items.filter((item): item is Extract<Item, { kind: Kind }> => item.kind === kind);
  return { images: of('image'), captions: of('caption'), broken: of('broken') };
}

describe('Parquet files with pictures in their rows', () => {
  for (const [name, pictures, captions] of [
    ['hf.parquet', 19, 24],
    ['hf-zstd-v2.parquet', 23, 29],
  ] as const)
    test(`${name}, as Hugging Face writes it: each row's own picture, its captions and its other columns`, async () => {
      const found = await read(join(LAYOUTS, name));
      assert.deepEqual(
        [found.images.length, found.captions.length, found.broken.length],
        [pictures, captions, 0],
      );
      const kinds = ['jpeg', 'png', 'webp'];
      // Backwards too: the page that is kept must not be taken for another.
      for (const [n, { id, uri, meta }] of [
        ...found.images.entries(),
        ...[...found.images.entries()].reverse(),
      ]) {
        const { width, height, format } = await sharp(await readContent(uri, 1e6)).metadata();
        assert.deepEqual([width, height, format], [80 + 4 * (n % 5), 72 + 4 * (n % 3), kinds[n % 3]]);
        assert.deepEqual([id, meta], [`${name}:${n + 1}`, { label: n % 3 }]);
      }
      assert.deepEqual(
        found.captions.slice(0, 3).map(({ id, imageId, caption }) => [id, imageId, caption]),
        [
          [`${name}:1#0`, `${name}:1`, 'a red circle'],
          [`${name}:1#1`, `${name}:1`, 'A RED CIRCLE'],
          [`${name}:2#0`, `${name}:2`, 'a green circle'],
        ],
      );
    });

  test("img2dataset's own: keys are ids, what it could not download is listed and not tried again", async (t) => {
    const folder = await temporaryFolder(t);
    await copyFile(join(LAYOUTS, 'img2dataset-gzip.parquet'), join(folder, '00000.parquet'));
    for (const spec of [
      folder,
      join(LAYOUTS, 'img2dataset-parquet'),
      join(LAYOUTS, 'img2dataset-gzip.parquet'),
    ]) {
      const { images, captions, broken } = await read(spec);
      assert.deepEqual([images.length, captions.length], [9, 8]);
      assert.deepEqual(
        broken.map(({ id, error }) => [id, error.code]),
        ['000000003', '000000005', '000000008'].map((id) => [id, 'ITEM_NOT_DOWNLOADED']),
      );
      assert.equal(images[0]?.id, '000000000');
      for (const { uri, meta } of images) {
        const { width, height } = await sharp(await readContent(uri, 1e6)).metadata();
        assert.deepEqual([width, height], [meta.width, meta.height]);
      }
    }
  });

  test('metadata.parquet still describes the pictures of its folder', async () => {
    const { images, captions, broken } = await read(join(LAYOUTS, 'imagefolder'));
    assert.deepEqual([images.length, captions.length, broken.length], [5, 5, 0]);
    assert.deepEqual(
      images.map(({ meta }) => meta.year),
      [2020, null, 2021, 2022, 2020],
    );
  });

  test('a row without a picture, a damaged row group, and a file that is another by now', async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, 'x.parquet');
    const pictures = await Promise.all([0, 1, 2, 3].map((n) => drawPicture(n)));
    const data = [pictures[0], null, pictures[2], pictures[3]].map((bytes) =>
      bytes ? new Uint8Array(bytes) : bytes,
    );
    const columnData: Parameters<typeof parquetWriteBuffer>[0]['columnData'] = [
      { name: 'png', data, type: 'BYTE_ARRAY', nullable: true },
      { name: 'id', data: ['a', 'b', 'c', 'd'], type: 'STRING' },
      { name: 'text', data: ['one', 'two', 'three', 'four'], type: 'STRING' },
    ];
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 2 }));
    await writeFile(path, bytes);
    const { images } = await read(path);
    assert.deepEqual(
      images.map(({ id }) => id),
      ['a', 'b', 'c', 'd'],
    );
    const [first, empty, third] = images.map(({ uri }) => uri) as [string, string, string];
    assert.deepEqual(Buffer.from(await readContent(third, 1e6)), pictures[2]);
    await assert.rejects(readContent(empty, 1e6), vlmoError('ITEM_UNREADABLE', 'a picture in this row'));
    await assert.rejects(readContent(first, 10), vlmoError('IMAGE_TOO_LARGE', '--max-image-bytes'));
    await assert.rejects(readContent(`${first}0`, 1e6), vlmoError('ITEM_UNREADABLE'));

    const metadata = await parquetMetadataAsync((await readFile(path)).buffer as ArrayBuffer);
    const damaged = Buffer.from(bytes);
    const column = metadata.row_groups[1]?.columns[2]?.meta_data;
    damaged.fill(0xff, Number(column?.data_page_offset), Number(column?.data_page_offset) + 12);
    await writeFile(path, damaged);
    const left = await read(path);
    assert.deepEqual(
      [left.images.map(({ id }) => id), left.broken.map(({ id }) => id)],
      [['a', 'b'], ['x.parquet:3']],
    );
    await writeFile(path, bytes.subarray(0, 500));
    await assert.rejects(readContent(first, 1e6), vlmoError('ITEM_UNREADABLE', 'index it again'));
  });
});
