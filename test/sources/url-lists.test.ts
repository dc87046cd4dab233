import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Item, SourceOptions } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { put } from '../pipeline/pictures.ts';
import { collect } from '../pipeline/pipeline-fixture.ts';

/** What a list of this name and text holds, a text an item. */
async function read(
  t: Parameters<typeof temporaryFolder>[0],
  name: string,
  text: string,
  options: SourceOptions = {},
): Promise<string[]> {
  const folder = await temporaryFolder(t);
  await put(folder, name, text);
  return (await collect((await openSource(join(folder, name), options)).items())).map(shown);
}

function shown(item: Item): string {
  if (item.kind === 'image') return `${item.id} = ${item.uri} ${JSON.stringify(item.meta)}`;
  return item.kind === 'caption' ? `${item.id}: ${item.caption}` : `${item.error.code} ${item.id}`;
}

const A = 'https://a.test/1.jpg = https://a.test/1.jpg {}';
const B = 'https://b.test/2,x.jpg?y=1 = https://b.test/2,x.jpg?y=1 {}';

describe('lists of URLs', () => {
  test('a URL a line, whatever the name of the file; one that is there twice is one picture', async (t) => {
    const text =
      'https://a.test/1.jpg\nhttps://b.test/2,x.jpg?y=1\r\n\nhttps://a.test/1.jpg\nHTTPS://A.test:443/1.jpg#top\n';
    for (const name of ['urls.txt', 'urls', 'urls.lst', 'urls.tsv'])
      assert.deepEqual(await read(t, name, text), [A, B], name);
  });

  test('with a caption and without a header, as those of Conceptual Captions', async (t) => {
    const lines = [`https://a.test/1.jpg\ta "cat`, 'https://b.test/2,x.jpg?y=1\ta dog, asleep'];
    const expected = [A, 'https://a.test/1.jpg#0: a "cat', B, 'https://b.test/2,x.jpg?y=1#0: a dog, asleep'];
    for (const name of ['cc12m.tsv', 'list.txt'])
      assert.deepEqual(await read(t, name, lines.join('\n')), expected);
    const turned = lines.map((line) => line.split('\t').toReversed().join('\t')).join('\n');
    assert.deepEqual(await read(t, 'cc3m.tsv', turned), expected);
    const csv = 'https://a.test/1.jpg,"a ""cat"\n"https://b.test/2,x.jpg?y=1","a dog, asleep"\n';
    assert.deepEqual(await read(t, 'list.csv', csv), expected);
  });

  test('lines that are no such row are listed', async (t) => {
    assert.deepEqual(await read(t, 'list.tsv', 'https://a.test/1.jpg\ta cat\nhttps://b.test/2.jpg\n'), [
      A,
      'https://a.test/1.jpg#0: a cat',
      'SOURCE_ROW_INVALID list.tsv:2',
    ]);
  });

  test("LAION's names, DataComp's, and others", async (t) => {
    assert.deepEqual(await read(t, 'laion.csv', 'SAMPLE_ID,URL,TEXT\n7,https://a.test/1.jpg,a cat\n'), [
      'https://a.test/1.jpg = https://a.test/1.jpg {"SAMPLE_ID":"7"}',
      'https://a.test/1.jpg#0: a cat',
    ]);
    const row = { uid: 'u1', url: 'https://a.test/1.jpg', text: 'a cat', original_width: 3 };
    assert.deepEqual(await read(t, 'datacomp.jsonl', JSON.stringify(row)), [
      'u1 = https://a.test/1.jpg {"original_width":3}',
      'u1#0: a cat',
    ]);
    assert.deepEqual(
      await read(t, 'list.csv', 'link,path\nhttps://a.test/1.jpg,x\n', { imageColumn: 'link' }),
      ['https://a.test/1.jpg = https://a.test/1.jpg {"path":"x"}'],
    );
  });

  test('what cannot be guessed is explained', async (t) => {
    await assert.rejects(read(t, 'list.tsv', 'https://a.test/1.jpg\ta cat\t7\n'), {
      code: 'SOURCE_COLUMN_MISSING',
      message: /a list of a URL and a caption a line, received one of 3 cells without names$/,
    });
    await assert.rejects(read(t, 'list.txt', 'https://a.test/1.jpg\n', { idColumn: 'id' }), {
      code: 'SOURCE_COLUMN_MISSING',
      message: /expected the column "id", received the column "url", since its first line names none$/,
    });
    await assert.rejects(read(t, 'notes.txt', 'see https://a.test/1.jpg\n'), { code: 'SOURCE_UNSUPPORTED' });
  });

  test("a Parquet file as LAION's, with texts of a dictionary and hashes beyond 2^53", async () => {
    const source = await openSource(fixture('layouts/laion.parquet'));
    const items = await collect(source.items());
    const images = items.filter((item) => item.kind === 'image');
    const captions = items.filter((item) => item.kind === 'caption');
    assert.deepEqual([images.length, captions.length, items.length], [8, 8, 16]);
    assert.ok(captions.every(({ caption, imageId }, n) => caption !== '' && imageId === images[n]?.id));
    assert.deepEqual(
      images.map(({ id, meta }) => [id, meta.hash]),
      Array.from({ length: 8 }, (_, n) => [`http://127.0.0.1:PORT/${n}.jpg`, String(2n ** 62n + BigInt(n))]),
    );
    assert.equal(source.fraction(), 1);
  });
});
