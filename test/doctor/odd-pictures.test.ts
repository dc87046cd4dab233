import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import sharp from 'sharp';
import type { Finding } from '#doctor/finding.ts';
import { checkIndex } from '#doctor/index/check-index.ts';
import { wasReadOtherwise } from '#pictures/read-otherwise.ts';
import { openStore } from '#store/lance/open-store.ts';
import { vlmoJson } from '../cli/cli-fixture.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { offsetGif, tiff } from '../pictures/odd-files.ts';
import { readPictureFixture } from '../pictures/pictures.ts';
import { drawPictures, put } from '../pipeline/pictures.ts';

const ODD = ['bands.tif', 'float.tif', 'offset.gif'];

interface Made {
  readonly index: string;
  readonly source: string;
}

async function made(t: TestContext): Promise<Made> {
  const folder = await temporaryFolder(t);
  const [index, source] = [join(folder, 'index'), join(folder, 'source')];
  await drawPictures(source, 0, 2);
  await put(source, 'float.tif', tiff([0.8], { isFloat: true }));
  await put(source, 'bands.tif', tiff([10, 200, 90, 0], { extra: 0 }));
  await put(source, 'offset.gif', await offsetGif());
  const create = { width: 16, height: 16, channels: 3, background: '#0a0' } as const;
  await put(source, 'plain.gif', await sharp({ create }).gif().toBuffer());
  await put(source, 'plain.tif', tiff([200, 30, 90]));
  await vlmoJson(['index', source, '--index', index, '--model', 'demo', '--json']);
  return { index, source };
}

/** As an earlier version left them: every vector of a TIFF or GIF is that of another picture. */
async function spoil(index: string): Promise<void> {
  await using store = await openStore(index, { create: false, write: true });
  const { images } = await store.tables((await store.activeGeneration('default')) ?? assert.fail());
  const rows = [];
  for await (const row of images.scan()) rows.push(row);
  const other = rows.find(({ format }) => format === 'png') ?? assert.fail();
  const vector = (await images.vector(other.key)) ?? assert.fail();
  for (const row of rows.filter(({ id }) => ODD.includes(id)))
    await images.upsert({ rows: [row], vectors: vector });
}

async function oddPictures(index: string): Promise<Finding> {
  for await (const finding of checkIndex(index)) if (finding.name === 'odd pictures') return finding;
  return assert.fail('it says nothing of them');
}

describe('pictures that earlier versions read wrongly', { timeout: 300_000 }, () => {
  test('are known by their bytes', async () => {
    const odd = [tiff([0.5], { isFloat: true }), tiff([1, 2, 3, 4], { extra: 0 }), await offsetGif()];
    assert.deepEqual(odd.map(wasReadOtherwise), [true, true, true]);
    const usual = [tiff([9]), tiff([1, 2, 3]), tiff([1, 2, 3, 4], { extra: 2 }), new Uint8Array()];
    assert.deepEqual(usual.map(wasReadOtherwise), [false, false, false, false]);
    for (const name of ['drawing.tiff', '16-bit.tiff', 'animated.gif', 'drawing.png', 'cmyk-alpha.tif'])
      assert.equal(wasReadOtherwise(await readPictureFixture(name)), false, name);
    for (let end = 0; end < 400; end++) wasReadOtherwise((odd[1] ?? new Uint8Array()).subarray(0, end));
  });

  test('are found by doctor --index, and done again by index --verify, and by nothing less', async (t) => {
    const { index, source } = await made(t);
    const before = await oddPictures(index);
    assert.deepEqual([before.state, before.data?.compared, before.data?.count], ['ok', 3, 0], before.detail);
    await spoil(index);
    const run = ['index', source, '--index', index, '--json'];
    assert.equal((await vlmoJson<{ stored: number }>(run)).lines[0]?.stored, 0);
    const found = await oddPictures(index);
    assert.equal(found.state, 'faulty');
    assert.match(found.detail, /^3 vectors .* vlmo index SOURCE --verify --index /);
    const items = (found.data?.items ?? []) as { id: string }[];
    assert.deepEqual(items.map(({ id }) => id).sort(), ODD);
    assert.equal((await vlmoJson<{ stored: number }>([...run, '--verify'])).lines[0]?.stored, 3);
    const after = await oddPictures(index);
    assert.deepEqual([after.state, after.data?.compared], ['ok', 3], after.detail);
  });

  test('that cannot be looked at are counted, with the reason', async (t) => {
    const { index, source } = await made(t);
    await sharp({ create: { width: 9, height: 9, channels: 3, background: '#00f' } })
      .gif()
      .toFile(join(source, 'offset.gif'));
    const changed = await oddPictures(index);
    assert.deepEqual(
      [changed.state, changed.data?.compared],
      ['ok', 2],
      'a file that has changed is left to the next run',
    );
    await spoilModel(index);
    const { state, detail } = await oddPictures(index);
    assert.equal(state, 'note');
    assert.match(detail, /could not be looked at \(Cannot open model/);
  });
});

/** The model of the index is gone. */
async function spoilModel(index: string): Promise<void> {
  await using store = await openStore(index, { create: false, write: true });
  const record = (await store.activeGeneration('default')) ?? assert.fail();
  await store.openGeneration({ ...record, modelPath: '/no/such/model' });
}
