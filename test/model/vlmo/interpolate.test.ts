import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resizePositionEmbedding, resizeRelativeTable } from '#model/vlmo/interpolate.ts';
import { readJson } from '../../fixtures/files.ts';
import {
  assertClose,
  checkerPixels,
  importFixture,
  loadTiny,
  tokenRows,
  vlmoError,
} from './model-fixture.ts';

type Grid = readonly [number, number];
interface Resized {
  readonly from: Grid;
  readonly to: Grid;
  readonly values: readonly number[];
  readonly expected: readonly number[];
}

for (const { from, to, width, values, expected } of await readJson<(Resized & { width: number })[]>(
  'interpolation/positions.json',
)) {
  test(`resizePositionEmbedding: ${from.join(' x ')} to ${to.join(' x ')} is torch's bicubic`, () => {
    const resized = resizePositionEmbedding(Float32Array.from(values), width, from, to);
    assertClose(resized, expected, 1e-5, 'positions');
  });
}

for (const { from, to, columns, values, expected } of await readJson<(Resized & { columns: number })[]>(
  'interpolation/tables.json',
)) {
  test(`resizeRelativeTable: ${from.join(' x ')} to ${to.join(' x ')} is SciPy's spline`, () => {
    assertClose(resizeRelativeTable(Float32Array.from(values), columns, to), expected, 1e-5, 'table');
  });
}

test('resizePositionEmbedding and resizeRelativeTable: to the same grid they change nothing', () => {
  const positions = Float32Array.from({ length: 17 * 4 }, (_, i) => Math.fround(Math.sin(i)));
  assert.deepEqual(resizePositionEmbedding(positions, 4, [4, 4], [4, 4]), positions);
  const table = Float32Array.from({ length: 446 * 3 }, (_, i) => Math.fround(Math.cos(i)));
  assertClose(resizeRelativeTable(table, 3, [4, 4]), table, 1e-6, 'table');
});

test('resizeRelativeTable: a grid so small that no ratio fits keeps the nearest distances', () => {
  const table = Float32Array.from({ length: 446 }, (_, i) => i);
  const nearest = (side: number) =>
    Array.from({ length: side * side }, (_, i) => {
      const [y, x] = [Math.floor(i / side) - (side >> 1), (i % side) - (side >> 1)];
      return (y + 3) * 7 + x + 3;
    });
  const rest = [...table.subarray(49)];
  assertClose(resizeRelativeTable(table, 1, [2, 2]), [...nearest(3), ...rest], 1e-4, '2 x 2');
  assertClose(resizeRelativeTable(table, 1, [1, 1]), [...nearest(1), ...rest], 1e-4, '1 x 1');
});

interface ResizedModel {
  readonly name: 'tiny_rel' | 'tiny_abs';
  readonly imageSize: number;
  readonly input_ids: readonly (readonly number[])[];
  readonly outputs: Readonly<Record<'image_embedding' | 'text_embedding' | 'fusion_cls', readonly number[]>>;
}

for (const { name, imageSize, input_ids: rows, outputs } of await readJson<ResizedModel[]>(
  'interpolation/resized.json',
)) {
  test(`importCheckpoint: ${name} for pictures of ${imageSize} gives the reference's values`, async (t) => {
    const vlmo = await loadTiny(t, name, { imageSize });
    assert.deepEqual(vlmo.config.image_size, [imageSize, imageSize]);
    const pixels = checkerPixels(2, 3, imageSize, imageSize);
    const tokens = tokenRows(rows);
    assertClose((await vlmo.embedImages(pixels)).data, outputs.image_embedding, 1e-4, 'image');
    assertClose((await vlmo.embedTokens(tokens)).data, outputs.text_embedding, 1e-4, 'text');
    const joint = await vlmo.fetch('fusion', { pixels, tokens }, ['fusion_cls']);
    assertClose(joint.fusion_cls?.data, outputs.fusion_cls, 1e-3, 'fusion');
  });
}

test("importCheckpoint: the checkpoint's own picture size keeps the weights, bit for bit", async (t) => {
  const options = [undefined, 64].map((imageSize) =>
    importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt', { imageSize }),
  );
  const [original, same] = await Promise.all(options);
  assert.equal(same?.model.config.weights_sha256, original?.model.config.weights_sha256);
});

test('importCheckpoint: a picture size that is no multiple of the patch is refused', async (t) => {
  for (const imageSize of [65, 0, -16, 24.5, Number.NaN]) {
    await assert.rejects(
      importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt', { imageSize }),
      vlmoError('MODEL_INPUT_INVALID', '16 x 16', String(imageSize)),
    );
  }
});
