import { errorMessage } from '#errors.ts';
import { type ColumnRules, type Columns, imageOf, resolveColumns } from './columns.ts';
import { parseJson } from './json.ts';
import { isTooDeep, type OpenMeta, setMeta, TOO_DEEP } from './meta.ts';
import { describeType } from './quote.ts';
import { type FindFrame, readRecords } from './records.ts';
import type { BrokenRow, Row, RowBatch } from './row.ts';

/** Streams the rows of a file of JSON objects, framed as lines or in an array. The keys of each are its columns. */
export async function* jsonRows(
  path: string,
  framing: FindFrame,
  rules: ColumnRules,
): AsyncGenerator<RowBatch, void, void> {
  const resolve = rememberLast(rules);
  for await (const { bytes, records, position } of readRecords(path, framing)) {
    const rows = records.map(({ line, start, end, reason }) =>
      reason === undefined
        ? toRow(line, bytes.toString('utf8', start, end), resolve)
        : { line, broken: reason },
    );
    yield { rows, position };
  }
}

type Resolve = (names: readonly string[]) => Columns | string;

/** Most rows have the keys of the row before, so the columns are sorted once and not a million times. */
function rememberLast(rules: ColumnRules): Resolve {
  let last: readonly string[] = [];
  let columns = resolveColumns(last, rules);
  return (names) => {
    if (names.length !== last.length || names.some((name, index) => name !== last[index])) {
      last = names;
      columns = resolveColumns(names, rules);
    }
    return columns;
  };
}

function toRow(line: number, text: string, resolve: Resolve): Row | BrokenRow {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    return { line, broken: `expected a JSON object, received invalid JSON (${errorMessage(error)})` };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { line, broken: `expected a JSON object, received ${describeType(value)}` };
  }
  const row = value as Readonly<Record<string, unknown>>;
  const names = Object.keys(row);
  const columns = resolve(names);
  if (typeof columns === 'string') return { line, broken: columns };

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
    captionId: at(columns.captionId),
    captions: columns.captions.map(at),
    meta,
  };
}
