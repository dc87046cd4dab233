import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import { VlmoError } from '#errors.ts';
import { filePath, schemeOf } from '#uri.ts';
import { type ColumnRules, resolveColumns } from './columns.ts';
import type { SourceOptions, TableFormat } from './item.ts';
import { isWrapped } from './wrapped-framing.ts';

export interface CsvDialect {
  readonly kind: 'csv';
  readonly delimiter: string;
  /** Whether cells may stand in quotes; otherwise quotes are text. */
  readonly quoted: boolean;
  /** Whether spaces behind the delimiters are for the eye only. */
  readonly spaced: boolean;
  /** Of the columns, where the first line is a row already: a list of URLs. */
  readonly names?: readonly string[];
  /** Whether the first cell is a picture, `#` and the number of its caption, as Flickr30k's `.token` has them. */
  readonly numbered?: boolean;
}

export type Dialect =
  | CsvDialect
  | { readonly kind: 'json lines' | 'json array' | 'json wrapped' | 'parquet' | 'arrow' };

const FORMATS: Readonly<Partial<Record<string, TableFormat>>> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.tab': 'tsv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.parquet': 'parquet',
  '.arrow': 'arrow',
};
export const TABLE_ENDINGS: readonly string[] = Object.keys(FORMATS);

const HEAD_BYTES = 64 * 1024;
const FLICKR_COLUMNS: readonly string[] = ['image_name', 'comment_number', 'comment'];
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
  if (format === 'parquet' || format === 'arrow') return { kind: format };
  const head = await readHead(uri);
  if (format === 'json') return jsonDialect(head, rules);
  const [first = '', second = ''] = head.split(/\r\n|\n/, 2);
  const usual = options.delimiter ?? (format === 'tsv' ? '\t' : ',');
  const candidates = options.delimiter === undefined ? [usual, ...DELIMITERS] : [usual];
  const known = candidates.find((one) => hasKnownColumn(first, one, rules));
  const divider = options.delimiter ?? (format === 'csv' ? ',' : '\t');
  const list = known === undefined ? (urlList(uri, first, divider) ?? tokenList(first)) : undefined;
  if (list) return list;
  if (known === undefined && format === undefined) return undefined;
  const delimiter = known ?? usual;
  const quoted = options.quote ?? !(delimiter === '\t' || isFlickr(first, delimiter));
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

/**
 * A list of URLs without a header, as its first line has them: a URL a line, or a URL and a caption, in either order, as those
 * of Conceptual Captions. Undefined where that begins with no URL. Throws SOURCE_COLUMN_MISSING for more than these two.
 */
function urlList(uri: string, first: string, delimiter: string): CsvDialect | undefined {
  const cells = first.trim().split(delimiter);
  const at = cells.findIndex(isUrl);
  if (at === -1) return undefined;
  const [other, ...more] = cells.filter((_, index) => index !== at);
  if (more.length > 0)
    throw new VlmoError(
      'SOURCE_COLUMN_MISSING',
      `Cannot read "${uri}": expected a first line with the names of the columns, or a list of a URL and a caption a line, received one of ${cells.length} cells without names`,
    );
  const names = other === undefined ? ['url'] : at === 0 ? ['url', 'caption'] : ['caption', 'url'];
  return { kind: 'csv', delimiter, quoted: delimiter !== '\t', spaced: isSpaced(first, delimiter), names };
}

/** Flickr30k's and Flickr8k's `.token` files: `a.jpg#0`, a tab, the caption. */
function tokenList(first: string): CsvDialect | undefined {
  if (!/^[^\t]+\.\w+#\d+\t/.test(first)) return undefined;
  const names = FLICKR_COLUMNS;
  return { kind: 'csv', delimiter: '\t', quoted: false, spaced: false, names, numbered: true };
}

/** Flickr30k's `results.csv`, whose quotes are text. */
function isFlickr(header: string, delimiter: string): boolean {
  const names = header.split(delimiter).map((name) => name.trim());
  return delimiter === '|' && names.join() === FLICKR_COLUMNS.join();
}

function isUrl(cell: string): boolean {
  const text = cell.trim();
  return ['http', 'https', 's3'].includes(schemeOf(text) ?? '') && !/\s/.test(text);
}

/** Whether every delimiter of a line outside quotes is followed by spaces. */
function isSpaced(line: string, delimiter: string): boolean {
  if (delimiter === '\t') return false;
  const cells = line.replace(/"[^"]*"/g, '""').split(delimiter);
  return cells.length > 1 && cells.slice(1).every((cell) => /^ +\S/.test(cell));
}

/** One object around the rows; or JSON Lines, which are called `.json` too: their first object ends with its line. */
function jsonDialect(head: string, { named, guesses }: ColumnRules): Dialect {
  const images = named.imageColumn === undefined ? guesses.image : [named.imageColumn.toLowerCase()];
  if (isWrapped(Buffer.from(head), images)) return { kind: 'json wrapped' };
  const [first = ''] = head.trimStart().split(/\r\n|\n/, 1);
  return { kind: /^\{.*\}\s*$/.test(first) ? 'json lines' : 'json array' };
}
