import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fusionIndex,
  gridOfTable,
  imageIndex,
  imageRows,
  tableRows,
  textIndex,
} from '#model/vlmo/relative-position.ts';
import { readJson } from '../../fixtures/files.ts';

interface Indexes {
  readonly grid: number;
  readonly length: number;
  readonly image: readonly number[];
  readonly text: readonly number[];
  readonly fusion: readonly number[];
}

for (const { grid, length, image, text, fusion } of await readJson<Indexes[]>(
  'relative-position/indexes.json',
)) {
  test(`imageIndex, textIndex, fusionIndex: ${grid} x ${grid} patches and ${length} tokens as the reference`, () => {
    assert.deepEqual([...imageIndex([grid, grid]).rows], image);
    assert.deepEqual([...textIndex(length, [grid, grid]).rows], text);
    const joint = fusionIndex(length, [grid, grid]);
    assert.deepEqual([...joint.rows], fusion);
    assert.equal(joint.size, length + grid * grid + 1);
  });
}

test('imageIndex: an oblong grid follows the formula, and reaches every row of its part once', () => {
  const [height, width] = [3, 5];
  const n = (2 * height - 1) * (2 * width - 1) + 3;
  const { rows, size } = imageIndex([height, width]);
  assert.equal(imageRows([height, width]), n);
  assert.equal(size, height * width + 1);
  const patches = Array.from({ length: height }, (_, y) => Array.from({ length: width }, (__, x) => [y, x]));
  for (const [a, [ay = 0, ax = 0]] of patches.flat().entries()) {
    assert.equal(rows[a + 1], n - 3);
    assert.equal(rows[(a + 1) * size], n - 2);
    for (const [b, [by = 0, bx = 0]] of patches.flat().entries()) {
      const expected = (ay - by + height - 1) * (2 * width - 1) + ax - bx + width - 1;
      assert.equal(rows[(a + 1) * size + b + 1], expected);
    }
  }
  assert.equal(rows[0], n - 1);
  assert.deepEqual(
    [...new Set(rows)].sort((a, b) => a - b),
    [...Array(n).keys()],
  );
});

test('textIndex: the longest text a table is made for stays inside its part', () => {
  const grid = [2, 2] as const;
  const rows = textIndex(196, grid).rows;
  const n = imageRows(grid);
  assert.equal(Math.min(...rows), n + 2);
  assert.equal(Math.max(...rows), tableRows(grid) - 1);
  const distances = rows.filter((_, i) => i >= 196 && i % 196 !== 0);
  assert.ok(Math.max(...distances) < tableRows(grid) - 3, 'distances do not run into the rows of [CLS]');
});

test('gridOfTable: finds the square grid of a table and refuses other sizes', () => {
  for (const side of [1, 2, 14, 24, 30]) assert.deepEqual(gridOfTable(tableRows([side, side])), [side, side]);
  for (const rows of [0, 396, 397 + 4, 397 + 48, 397 + 50, tableRows([2, 3])])
    assert.equal(gridOfTable(rows), undefined);
});
