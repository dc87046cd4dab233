import { errorMessage } from '#errors.ts';
import type { ColumnRules } from './columns.ts';
import { parseJson } from './json.ts';
import { createObjectRow, type ObjectRow } from './object-row.ts';
import { describeType } from './quote.ts';
import { type FindFrame, readRecords } from './records.ts';
import type { BrokenRow, Row, RowBatch } from './row.ts';

/** Streams the rows of a file of JSON objects, framed as lines or in an array. The keys of each are its columns. */
export async function* jsonRows(
  path: string,
  framing: FindFrame,
  rules: ColumnRules,
): AsyncGenerator<RowBatch, void, void> {
  const objectRow = createObjectRow(rules);
  for await (const { bytes, records, position } of readRecords(path, framing)) {
    const rows = records.map(({ line, start, end, reason }) =>
      reason === undefined
        ? toRow(line, bytes.toString('utf8', start, end), objectRow)
        : { line, broken: reason },
    );
    yield { rows, position };
  }
}

function toRow(line: number, text: string, objectRow: ObjectRow): Row | BrokenRow {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    return { line, broken: `expected a JSON object, received invalid JSON (${errorMessage(error)})` };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { line, broken: `expected a JSON object, received ${describeType(value)}` };
  }
  return objectRow(line, value as Readonly<Record<string, unknown>>);
}
