import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { collect, ids, reasons, tempFolder } from './temp-folder.ts';

function parquet(
  columnData: Parameters<typeof parquetWriteBuffer>[0]['columnData'],
  rowGroupSize?: number,
): Uint8Array {
  return new Uint8Array(parquetWriteBuffer({ columnData, ...(rowGroupSize && { rowGroupSize }) }));
}

test('metadata.parquet gives captions and meta, as metadata.csv does, over several row groups', async (t) => {
  const folder = await tempFolder(t, { '1.jpg': '', '2.jpg': '', 'sub/3.jpg': '', 'other.jpg': '' });
  const bytes = parquet(
    [
      { name: 'file_name', data: ['1.jpg', '2.jpg', 'sub/3.jpg', '../secret.jpg'], type: 'STRING' },
      { name: 'text', data: ['one', 'two', null, 'x'], type: 'STRING', nullable: true },
      { name: 'n', data: [1n, 2n ** 60n, 3n, 4n], type: 'INT64' },
      { name: 'score', data: [0.5, Number.NaN, 1, 2], type: 'DOUBLE' },
    ],
    2,
  );
  await writeFile(join(folder, 'metadata.parquet'), bytes);
  const { images, captions, broken } = await collect(folder);
  assert.deepEqual(ids(images), ['1.jpg', '2.jpg', 'sub/3.jpg', 'other.jpg']);
  assert.deepEqual(
    captions.map(({ id, caption }) => [id, caption]),
    [
      ['1.jpg#0', 'one'],
      ['2.jpg#0', 'two'],
    ],
  );
  const meta = [{ n: 1, score: 0.5 }, { n: '1152921504606846976', score: null }, { n: 3, score: 1 }, {}];
  assert.deepEqual(
    images.map((image) => image.meta),
    meta,
  );
  assert.deepEqual(ids(broken), ['metadata.parquet:4']);
});

test('metadata.parquet that is none, is cut, or has no file_name is listed, and the pictures are given', async (t) => {
  const whole = parquet([{ name: 'file_name', data: ['1.jpg'], type: 'STRING' }]);
  for (const bytes of [
    Buffer.from('PAR1 not one PAR1'),
    whole.subarray(0, whole.length / 2),
    Buffer.alloc(0),
  ]) {
    const folder = await tempFolder(t, { '1.jpg': '', 'metadata.parquet': bytes });
    const { images, broken } = await collect(folder);
    assert.deepEqual([ids(images), ids(broken)], [['1.jpg'], ['metadata.parquet']]);
    assert.match(reasons(broken)[0] ?? '', /^expected a Parquet file, received /);
  }
  const other = parquet([{ name: 'x', data: [1], type: 'INT32' }]);
  const { broken } = await collect(await tempFolder(t, { '1.jpg': '', 'metadata.parquet': other }));
  assert.equal(broken[0]?.error.code, 'SOURCE_COLUMN_MISSING');
});
