import { extname } from 'node:path';
import type { ColumnRules } from './columns.ts';
import { csvRows } from './csv-rows.ts';
import { jsonRows } from './json-rows.ts';
import type { RowBatch } from './row.ts';

type Format = 'csv' | 'tsv' | 'json lines';

const FORMATS: Readonly<Partial<Record<string, Format>>> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.jsonl': 'json lines',
  '.ndjson': 'json lines',
};

export const MANIFEST_ENDINGS: readonly string[] = Object.keys(FORMATS);

export function isManifestName(path: string): boolean {
  return formatOf(path) !== undefined;
}

/** Streams the rows of a manifest in the format that its name ends with. */
export function manifestRows(path: string, rules: ColumnRules): AsyncGenerator<RowBatch, void, void> {
  const format = formatOf(path);
  if (format === 'csv') return csvRows(path, ',', rules);
  if (format === 'tsv') return csvRows(path, '\t', rules);
  return jsonRows(path, rules);
}

function formatOf(path: string): Format | undefined {
  return FORMATS[extname(path).toLowerCase()];
}
