import { arrowRows } from './arrow/arrow-rows.ts';
import type { ColumnRules } from './columns.ts';
import { csvRows } from './csv-rows.ts';
import { jsonFraming } from './json-framing.ts';
import { jsonRows } from './json-rows.ts';
import { lineFraming } from './line-framing.ts';
import { parquetRows } from './parquet-rows.ts';
import type { RowBatch } from './row.ts';
import type { Dialect } from './table-dialect.ts';
import { wrappedFraming } from './wrapped-framing.ts';

/** Streams the rows of a table. */
export function manifestRows(
  uri: string,
  rules: ColumnRules,
  dialect: Dialect,
): AsyncGenerator<RowBatch, void, void> {
  if (dialect.kind === 'parquet') return parquetRows(uri, rules);
  if (dialect.kind === 'arrow') return arrowRows(uri, rules);
  if (dialect.kind === 'csv') return csvRows(uri, dialect, rules);
  if (dialect.kind === 'json wrapped') return jsonRows(uri, wrappedFraming(), rules);
  return jsonRows(uri, dialect.kind === 'json array' ? jsonFraming : lineFraming, rules);
}
