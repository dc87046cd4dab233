import { parse } from 'csv-parse/sync';
import { VlmoError } from '#errors.ts';
import { type ColumnRules, type Columns, imageOf, resolveColumns } from './columns.ts';
import { csvFraming } from './csv-framing.ts';
import { type OpenMeta, setMeta } from './meta.ts';
import { type RawRecord, type RecordChunk, readRecords } from './records.ts';
import type { BrokenRow, Row, RowBatch } from './row.ts';
import type { CsvDialect } from './table-dialect.ts';

interface Header {
  readonly names: readonly string[];
  readonly columns: Columns;
}

/**
 * Streams the rows of a file of cells divided by a delimiter; its first row names the columns.
 * Gives no batch before the header is known to have the columns asked for, and throws if it has not.
 */
export async function* csvRows(
  path: string,
  dialect: CsvDialect,
  rules: ColumnRules,
): AsyncGenerator<RowBatch, void, void> {
  let header = dialect.names && listHeader(path, dialect.names, rules);
  for await (const chunk of readRecords(path, csvFraming(dialect))) {
    const rows: (Row | BrokenRow)[] = [];
    for (const run of runs(chunk.records)) {
      const cellRows = parseRun(chunk, run, dialect);
      for (const [index, { line, reason }] of run.entries()) {
        const cells = dialect.numbered ? withNumber(cellRows[index]) : cellRows[index];
        if (header === undefined) header = parseHeader(path, cells, reason, rules);
        else if (cells === undefined) rows.push({ line, broken: reason ?? 'expected a row, received none' });
        else rows.push(toRow(line, cells, header));
      }
    }
    if (header !== undefined) yield { rows, position: chunk.position };
  }
  if (header === undefined) parseHeader(path, [], undefined, rules);
}

/** Splits records into stretches to be read at once: usable ones without a gap, or a single unusable one. */
function runs(records: readonly RawRecord[]): readonly (readonly RawRecord[])[] {
  const found: RawRecord[][] = [];
  let last: RawRecord | undefined;
  for (const record of records) {
    const follows = last !== undefined && last.end === record.start;
    const usable = record.reason === undefined && last?.reason === undefined;
    if (follows && usable) found.at(-1)?.push(record);
    else found.push([record]);
    last = record;
  }
  return found;
}

function parseRun(
  chunk: RecordChunk,
  run: readonly RawRecord[],
  { delimiter, quoted, spaced }: CsvDialect,
): readonly string[][] {
  const first = run.at(0);
  const last = run.at(-1);
  if (first === undefined || last === undefined || first.reason !== undefined) return [];
  const rows = parse(chunk.bytes.subarray(first.start, last.end), {
    delimiter,
    quote: quoted ? '"' : false,
    ltrim: spaced,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true, // counted below, where the header is known
  });
  if (rows.length === run.length) return rows;
  throw new Error(`Cannot parse CSV: expected ${run.length} rows, received ${rows.length}: this is a bug`);
}

/** `a.jpg#0` and a caption as three cells; as they are where no number is there, so that the row is refused. */
function withNumber(cells: readonly string[] | undefined): readonly string[] | undefined {
  const [, name = '', number = ''] = /^(.+)#(\d+)$/.exec(cells?.[0] ?? '') ?? [];
  return cells === undefined || name === '' ? cells : [name, number, ...cells.slice(1)];
}

function listHeader(path: string, names: readonly string[], rules: ColumnRules): Header {
  const columns = resolveColumns(names, rules);
  if (typeof columns === 'string') throw missing(path, `${columns}, since its first line names none`);
  return { names, columns };
}

function parseHeader(
  path: string,
  cells: readonly string[] | undefined,
  reason: string | undefined,
  rules: ColumnRules,
): Header {
  if (cells === undefined) throw missing(path, reason ?? 'expected a header, received none');
  if (cells.some((cell) => cell.includes('\r'))) {
    // Otherwise a file of old Macintosh lines would be one long header and no rows.
    throw missing(path, 'expected a header that ends with LF or CRLF, received a CR in it');
  }
  const columns = resolveColumns(
    cells.map((cell) => cell.trim()),
    rules,
  );
  if (typeof columns === 'string') throw missing(path, columns);
  return { names: uniqueNames(cells), columns };
}

/** Names for `meta`: a column without a name, or with one that was there before, gets its number (from 1). */
function uniqueNames(cells: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return cells.map((cell, index) => {
    let name = cell.trim() || `column_${index + 1}`;
    while (taken.has(name)) name += `_${index + 1}`;
    taken.add(name);
    return name;
  });
}

function toRow(line: number, cells: readonly string[], { names, columns }: Header): Row | BrokenRow {
  if (cells.length !== names.length) {
    return { line, broken: `expected ${names.length} columns, received ${cells.length}` };
  }
  const meta: OpenMeta = {};
  for (const index of columns.meta) {
    const cell = cells[index] ?? '';
    if (cell !== '') setMeta(meta, names[index] ?? '', cell);
  }
  const at = (index: number | undefined) => (index === undefined ? undefined : cells[index]);
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

function missing(path: string, reason: string): VlmoError {
  return new VlmoError('SOURCE_COLUMN_MISSING', `Cannot read "${path}": ${reason}`);
}
