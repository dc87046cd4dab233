import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import { filePath } from '#uri.ts';
import { type ColumnRules, resolveColumns } from './columns.ts';
import type { SourceOptions, TableFormat } from './item.ts';

export interface CsvDialect {
  readonly kind: 'csv';
  readonly delimiter: string;
  /** Whether cells may stand in quotes; otherwise quotes are text. */
  readonly quoted: boolean;
  /** Whether spaces behind the delimiters are for the eye only. */
  readonly spaced: boolean;
}

export type Dialect = CsvDialect | { readonly kind: 'json lines' | 'json array' };

const FORMATS: Readonly<Partial<Record<string, TableFormat>>> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.tab': 'tsv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
};
export const TABLE_ENDINGS: readonly string[] = Object.keys(FORMATS);

const HEAD_BYTES = 64 * 1024;
const DELIMITERS: readonly string[] = [',', '\t', ';', '|'];

/**
 * How a table is written, by its name, by what `options` say, and by its first lines. Undefined where neither its name nor
 * a known column in its first line says that it is a table. Throws what opening the file throws.
 */
export async function tableDialect(
  uri: string,
  rules: ColumnRules,
  options: SourceOptions,
): Promise<Dialect | undefined> {
  const format = options.format ?? FORMATS[extname(uri).toLowerCase()];
  if (format === 'jsonl') return { kind: 'json lines' };
  const head = await readHead(uri);
  if (format === 'json') return jsonDialect(head);
  const [first = '', second = ''] = head.split(/\r\n|\n/, 2);
  const usual = options.delimiter ?? (format === 'tsv' ? '\t' : ',');
  const candidates = options.delimiter === undefined ? [usual, ...DELIMITERS] : [usual];
  const known = candidates.find((one) => hasKnownColumn(first, one, rules));
  if (known === undefined && format === undefined) return undefined;
  const delimiter = known ?? usual;
  const quoted = options.quote ?? delimiter !== '\t';
  return {
    kind: 'csv',
    delimiter,
    quoted,
    spaced: isSpaced(first, delimiter) || isSpaced(second, delimiter),
  };
}

async function readHead(uri: string): Promise<string> {
  const file = await open(filePath(uri), 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead).replace(/^\uFEFF/, '');
  } finally {
    await file.close();
  }
}

function hasKnownColumn(header: string, delimiter: string, rules: ColumnRules): boolean {
  const names = header.split(delimiter).map((cell) =>
    cell
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .trim(),
  );
  return typeof resolveColumns(names, rules) !== 'string';
}

/** Whether every delimiter of a line outside quotes is followed by spaces. */
function isSpaced(line: string, delimiter: string): boolean {
  if (delimiter === '\t') return false;
  const cells = line.replace(/"[^"]*"/g, '""').split(delimiter);
  return cells.length > 1 && cells.slice(1).every((cell) => /^ +\S/.test(cell));
}

/** Files of JSON Lines are called `.json` too: their first object ends with its line. */
function jsonDialect(head: string): Dialect {
  const [first = ''] = head.trimStart().split(/\r\n|\n/, 1);
  return { kind: /^\{.*\}\s*$/.test(first) ? 'json lines' : 'json array' };
}
