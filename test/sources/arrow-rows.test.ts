import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { readPicture } from '#pictures/read-picture.ts';
import type { Item } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

const LAYOUTS = fixture('layouts');

async function read(spec: string) {
  const source = await openSource(spec);
  const items: Item[] = [];
  for await (const item of source.items()) items.push(item);
  assert.equal(source.fraction(), 1);
  const of = <Kind extends Item['kind']>(kind: Kind) =>
    items.filter((item): item is Extract<Item, { kind: Kind }> => item.kind === kind);
  return { images: of('image'), captions: of('caption'), broken: of('broken') };
}

describe('Arrow', () => {
  test("VLMo's file: each picture with its two captions and its split, over two batches", async () => {
    const { images, captions, broken } = await read(join(LAYOUTS, 'coco_caption_karpathy_test.arrow'));
    assert.deepEqual([images.length, captions.length, broken.length], [6, 12, 0]);
    for (const [n, { id, uri, meta }] of images.entries()) {
      assert.equal(id, `COCO_val2014_${String(n).padStart(12, '0')}.jpg`);
      assert.deepEqual(meta, { split: n % 2 === 0 ? 'test' : 'val' });
      const { width, height, format } = await sharp(readPicture(uri, 1e6)).metadata();
      assert.deepEqual([width, height, format], [80 + 4 * (n % 5), 72 + 4 * (n % 3), 'jpeg']);
    }
    assert.deepEqual(
      captions.slice(0, 2).map(({ caption }) => caption),
      ['a red circle', 'second a red circle'],
    );
  });

  test("a stream as Hugging Face's cache is: structs, dictionaries, large numbers, times; a row without a picture", async () => {
    const { images, captions, broken } = await read(join(LAYOUTS, 'hf-cache.arrow'));
    assert.deepEqual(broken, []);
    assert.deepEqual(
      images.map(({ id }) => id),
      [1, 2, 3, 5].map((line) => `hf-cache.arrow:${line}`),
    );
    assert.deepEqual(
      captions.map(({ caption, imageId }) => [caption, imageId]),
      [
        ['red', 'hf-cache.arrow:1'],
        ['blue', 'hf-cache.arrow:2'],
        ['red', 'hf-cache.arrow:3'],
        ['green', 'hf-cache.arrow:4'],
        ['red', 'hf-cache.arrow:5'],
      ],
    );
    assert.deepEqual(images[1]?.meta, { big: '1152921504606846977', at: 1700000000000, flag: null });
    for (const [n, { uri }] of images.entries())
      assert.equal((await sharp(readPicture(uri, 1e6)).metadata()).width, [10, 11, 12, 14][n]);
  });

  test('large binaries and large strings', async () => {
    const { images, captions } = await read(join(LAYOUTS, 'large-binary.arrow'));
    assert.deepEqual([images.length, captions.map(({ caption }) => caption)], [2, ['a', 'b']]);
    assert.equal((await sharp(readPicture(images[1]?.uri ?? '', 1e6)).metadata()).width, 11);
  });

  test('packed buffers, other files and cut ones say so; of a cut one the batches before are given', async (t) => {
    await assert.rejects(
      read(join(LAYOUTS, 'packed.arrow')),
      vlmoError('SOURCE_ROW_INVALID', 'without compression'),
    );
    const folder = await temporaryFolder(t);
    const path = join(folder, 'x.arrow');
    const whole = await readFile(join(LAYOUTS, 'coco_caption_karpathy_test.arrow'));
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('nothing of the kind, at all'),
      whole.subarray(0, 300),
    ]) {
      await writeFile(path, bytes);
      await assert.rejects(read(path), vlmoError('SOURCE_ROW_INVALID', 'an Arrow file'));
    }
    await writeFile(path, whole.subarray(0, 9500));
    const { images, broken } = await read(path);
    assert.deepEqual([images.length, broken.map(({ id }) => id)], [4, ['x.arrow:5']]);
    await writeFile(path, whole);
    const uri = images[0]?.uri ?? '';
    assert.throws(() => readPicture(uri, 1e6), vlmoError('ITEM_UNREADABLE', 'index it again'));
    for (const place of ['', 'offset=0&size=10&of=5', 'offset=-1&size=2&of=9', 'offset=1e9&size=1&of=12746'])
      assert.throws(() => readPicture(`arrow+file://${path}#${place}`, 1e6), vlmoError('ITEM_UNREADABLE'));
  });
});
