import { halfToFloat } from '#float16.ts';
import { type Cell, type ColumnType, createParquet } from '#parquet.ts';
import type { Column } from './columns.ts';
import type { OutputFile } from './output-file.ts';

const TYPES = {
  text: 'STRING',
  json: 'STRING',
  int32: 'INT32',
  int64: 'INT64',
  time: 'TIMESTAMP',
  bool: 'BOOLEAN',
} as const satisfies Record<Column['type'], ColumnType>;

/** Values of a row group's vectors: what its columns take in memory is some 40 bytes each. */
const GROUP_VALUES = 1_000_000;
const GROUP_ROWS = 8192;

/** Rows as Parquet; `vectors` names the vectors that are columns too, lists of float32. */
export async function createParquetOutput(
  path: string,
  columns: readonly Column[],
  vectors: readonly string[],
): Promise<OutputFile> {
  const types = [
    ...columns.map(({ name, type }) => [name, TYPES[type]] as const),
    ...vectors.map((name) => [name, 'FLOATS'] as const),
  ];
  const file = createParquet(path, Object.fromEntries(types));
  return {
    async write({ rows, vectors: halves }) {
      const floats = vectors.map((name) => [name, halfToFloat(halves[name] as Uint16Array)] as const);
      const width = Math.max(1, ...floats.map(([, values]) => values.length / rows.length));
      const step = Math.max(1, Math.min(GROUP_ROWS, Math.floor(GROUP_VALUES / width)));
      for (let from = 0; from < rows.length; from += step) {
        const group = rows.slice(from, from + step);
        const cells = columns.map(
          (column) => [column.name, group.map((row) => toCell(column, row))] as const,
        );
        const lists = floats.map(([name, values]) => {
          const each = values.length / rows.length;
          const list = (_: object, i: number): number[] =>
            Array.from(values.subarray((from + i) * each, (from + i + 1) * each));
          return [name, group.map(list)] as const;
        });
        await file.write(Object.fromEntries([...cells, ...lists]));
      }
    },
    end: () => file.finish(),
  };
}

function toCell({ type, value }: Column, row: object): Cell {
  const found = value(row as never);
  if (found === null || found === undefined) return null;
  if (type === 'json') return JSON.stringify(found);
  return type === 'int64' ? BigInt(found as number) : (found as string | number | boolean | Date);
}
