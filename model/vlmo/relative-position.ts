/**
 * Rows of the relative position bias table, after BEiT and VLMo: for a picture of gh x gw patches
 *
 *     [ patch to patch (2 gh - 1)(2 gw - 1) | cls->patch | patch->cls | cls-cls ]  n rows in all
 *     [ text->image | image->text ]                                                n, n + 1
 *     [ text to text by distance, 2 * 196 rows, the last three for [CLS] ]         n + 2 …
 */

/** Text distances that a table covers on either side (the longest text the published models were made for). */
export const TEXT_REACH = 196;
const CROSS_ROWS = 2;
const CLS_ROWS = 3;

/** A square or oblong matrix of table rows: `rows[i * columns + j]` is the row for query i and key j. */
export interface PositionIndex {
  readonly rows: Int32Array;
  readonly size: number;
}

/** Rows n of the picture's part of the table. */
export function imageRows([gh, gw]: readonly [number, number]): number {
  return (2 * gh - 1) * (2 * gw - 1) + CLS_ROWS;
}

/** Rows R of the whole table for a picture of gh x gw patches. */
export function tableRows(grid: readonly [number, number]): number {
  return imageRows(grid) + CROSS_ROWS + 2 * TEXT_REACH;
}

/** The square grid a table was made for; undefined where no grid gives that many rows. */
export function gridOfTable(rows: number): readonly [number, number] | undefined {
  const side = Math.sqrt(rows - CROSS_ROWS - 2 * TEXT_REACH - CLS_ROWS);
  return Number.isInteger(side) && side % 2 === 1 ? [(side + 1) / 2, (side + 1) / 2] : undefined;
}

/** Picture tokens among themselves, [CLS] first: [gh gw + 1, gh gw + 1]. */
export function imageIndex([gh, gw]: readonly [number, number]): PositionIndex {
  const size = gh * gw + 1;
  const n = imageRows([gh, gw]);
  return matrix(size, (i, j) => {
    if (i === 0) return j === 0 ? n - 1 : n - 3;
    if (j === 0) return n - 2;
    const dy = Math.floor((i - 1) / gw) - Math.floor((j - 1) / gw);
    const dx = ((i - 1) % gw) - ((j - 1) % gw);
    return (dy + gh - 1) * (2 * gw - 1) + dx + gw - 1;
  });
}

/** With `padding` tokens behind the others, whose every pair has the row `hidden`. */
export function withPadding({ rows, size }: PositionIndex, padding: number, hidden: number): PositionIndex {
  return matrix(size + padding, (i, j) => (i < size && j < size ? (rows[i * size + j] as number) : hidden));
}

/** Text tokens among themselves, [CLS] first: [length, length]. */
export function textIndex(length: number, grid: readonly [number, number]): PositionIndex {
  const n = imageRows(grid);
  const all = tableRows(grid);
  return matrix(length, (i, j) => {
    if (i === 0) return j === 0 ? all - 1 : all - 3;
    if (j === 0) return all - 2;
    return j - i + TEXT_REACH - 2 + n + CROSS_ROWS;
  });
}

/** Text tokens first, picture tokens after them: [length + gh gw + 1, the same]. */
export function fusionIndex(length: number, grid: readonly [number, number]): PositionIndex {
  const text = textIndex(length, grid);
  const image = imageIndex(grid);
  const n = imageRows(grid);
  return matrix(length + image.size, (i, j) => {
    if (i < length) return j < length ? at(text, i, j) : n;
    return j < length ? n + 1 : at(image, i - length, j - length);
  });
}

function matrix(size: number, row: (i: number, j: number) => number): PositionIndex {
  const rows = new Int32Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) rows[i * size + j] = row(i, j);
  return { rows, size };
}

function at({ rows, size }: PositionIndex, i: number, j: number): number {
  return rows[i * size + j] ?? 0;
}
