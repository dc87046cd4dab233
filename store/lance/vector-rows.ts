import type { Data, RecordBatch, Schema } from 'apache-arrow';
import { Schema as ArrowSchema } from 'apache-arrow';
import { floatToHalf } from '#float16.ts';
import type { VectorBatch } from '#store/contract.ts';
import { type Column, vectorData, vectorField } from './columns.ts';

/** How rows of one kind become Arrow columns and back. */
export interface RowFormat<Row> {
  readonly columns: readonly Column<Row>[];
  /** The columns that `reader` needs. */
  readonly readColumns: readonly string[];
  reader(batch: RecordBatch): (index: number) => Row;
}

/** The schema of a table of vectors: the columns of its rows, then `vector`. */
export function vectorSchema<Row>(format: RowFormat<Row>, dimensions: number): Schema {
  return new ArrowSchema([...format.columns.map((column) => column.field), vectorField(dimensions)]);
}

/** The Arrow columns of a batch, in the order of `vectorSchema`. */
export function vectorColumns<Row extends { readonly key: string }>(
  format: RowFormat<Row>,
  dimensions: number,
  { rows, vectors }: VectorBatch<Row>,
): Data[] {
  assertDistinct(rows);
  assertUnitLength(vectors, rows.length, dimensions);
  return [...format.columns.map((column) => column.data(rows)), vectorData(floatToHalf(vectors), dimensions)];
}

/** A merge with two rows for one key would fail or keep both; which one is meant only the caller can know. */
function assertDistinct(rows: readonly { readonly key: string }[]): void {
  const keys = new Set(rows.map((row) => row.key));
  if (keys.size !== rows.length) {
    throw new Error(
      `Cannot upsert ${rows.length} rows: received only ${keys.size} different keys, this is a bug`,
    );
  }
}

/** Also keeps out NaN, which would make the order of every search meaningless. */
function assertUnitLength(vectors: Float32Array, count: number, dimensions: number): void {
  if (vectors.length !== count * dimensions) {
    const expected = `${count} x ${dimensions}`;
    throw new Error(
      `Cannot upsert vectors: expected ${expected} values, received ${vectors.length}, this is a bug`,
    );
  }
  for (let row = 0; row < count; row++) {
    let square = 0;
    for (let i = row * dimensions; i < (row + 1) * dimensions; i++) square += (vectors[i] as number) ** 2;
    if (!(Math.abs(square - 1) <= 2e-3)) {
      throw new Error(
        `Cannot upsert vectors: expected unit length, received ${Math.sqrt(square)}, this is a bug`,
      );
    }
  }
}
