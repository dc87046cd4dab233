import { type ColumnRules, type Columns, imageOf, resolveColumns } from './columns.ts';
import { isTooDeep, type OpenMeta, setMeta, TOO_DEEP } from './meta.ts';
import type { BrokenRow, Row } from './row.ts';

/** Sorts the values of one object of a table, whose own keys are its columns. */
export type ObjectRow = (line: number, row: Readonly<Record<string, unknown>>) => Row | BrokenRow;

/** Most rows have the keys of the row before, so the columns are sorted once and not a million times. */
export function createObjectRow(rules: ColumnRules): ObjectRow {
  let last: readonly string[] = [];
  let columns = resolveColumns(last, rules);
  return (line, row) => {
    const names = Object.keys(row);
    if (names.length !== last.length || names.some((name, index) => name !== last[index])) {
      last = names;
      columns = resolveColumns(names, rules);
    }
    return typeof columns === 'string' ? { line, broken: columns } : toRow(line, row, names, columns);
  };
}

function toRow(
  line: number,
  row: Readonly<Record<string, unknown>>,
  names: readonly string[],
  columns: Columns,
): Row | BrokenRow {
  const at = (index: number | undefined) => (index === undefined ? undefined : row[names[index] ?? '']);
  const meta: OpenMeta = {};
  for (const index of columns.meta) {
    if (isTooDeep(at(index))) return { line, broken: TOO_DEEP };
    setMeta(meta, names[index] ?? '', at(index));
  }
  return {
    line,
    image: imageOf(columns, at),
    id: at(columns.id),
    imageId: at(columns.imageId),
    captionId: at(columns.captionId),
    captions: columns.captions.map(at),
    meta,
  };
}
