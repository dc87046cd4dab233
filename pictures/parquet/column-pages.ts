import type { FileHandle } from 'node:fs/promises';
import { type ColumnMetaData, type FileMetaData, parquetSchema, type RowGroup } from 'hyparquet';
import { parquetHeader, readColumn } from 'hyparquet/src/column.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { getTreePath } from 'hyparquet/src/schema.js';
import { compressors } from 'hyparquet-compressors';

/** Bytes of a file. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Some rows of a column that are packed together; `first` counts in their row group. */
export interface Page extends Span {
  readonly first: number;
  readonly rows: number;
}

/** Where the pages of a column of one row group are. */
export interface ColumnPages {
  readonly dictionary: Span | undefined;
  readonly pages: readonly Page[];
}

/** Headers are short, but may hold the least and the largest value. */
const HEADER_BYTES = [4096, 1024 * 1024] as const;

/** A column of a row group by its path, `image.bytes` for example; undefined where there is none, or its rows are lists. */
export function columnOf(group: RowGroup, column: string): ColumnMetaData | undefined {
  return group.columns.find(({ meta_data: data }) => data?.path_in_schema.join('.') === column)?.meta_data;
}

/** Walks the headers of a column's pages; their contents are not read. Throws an error that says what is wrong. */
export async function findPages(file: FileHandle, column: ColumnMetaData): Promise<ColumnPages> {
  const {
    data_page_offset: data,
    dictionary_page_offset: dictionaryAt,
    total_compressed_size: size,
  } = column;
  const start = Number(dictionaryAt && dictionaryAt < data ? dictionaryAt : data);
  const end = start + Number(size);
  const pages: Page[] = [];
  let dictionary: Span | undefined;
  for (let at = start, first = 0; at < end && first < Number(column.num_values); ) {
    const { header, length } = await readHeader(file, at, end);
    const next = at + length + header.compressed_page_size;
    if (next > end || header.compressed_page_size < 0) throw new Error('a page that ends behind its column');
    if (header.type === 'DICTIONARY_PAGE') dictionary = { start: at, end: next };
    else {
      const rows = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_rows ?? 0;
      pages.push({ first, rows, start: at, end: next });
      first += rows;
    }
    at = next;
  }
  return { dictionary, pages };
}

async function readHeader(file: FileHandle, at: number, end: number) {
  for (const bytes of HEADER_BYTES) {
    const wanted = Math.min(bytes, end - at);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, at);
    const reader = { view: new DataView(buffer.buffer, buffer.byteOffset, bytesRead), offset: 0 };
    try {
      return { header: parquetHeader(reader), length: reader.offset };
    } catch (error) {
      if (bytes === HEADER_BYTES[1] || wanted < bytes) throw error;
    }
  }
  throw new Error('unreachable');
}

/** The values of one page: bytes, or null. */
export async function readPage(
  file: FileHandle,
  metadata: FileMetaData,
  column: ColumnMetaData,
  { dictionary }: ColumnPages,
  page: Page,
): Promise<readonly unknown[]> {
  const head = dictionary ? await readSpan(file, dictionary) : Buffer.alloc(0);
  const bytes = Buffer.concat([head, await readSpan(file, page)]);
  const schemaPath = getTreePath(parquetSchema(metadata), column.path_in_schema);
  const element = schemaPath.at(-1)?.element;
  if (!element) throw new Error('a column that its schema lacks');
  const decoder: Parameters<typeof readColumn>[2] = {
    ...column,
    ...{ pathInSchema: column.path_in_schema, element, schemaPath, compressors },
    ...{ parsers: DEFAULT_PARSERS, utf8: false },
  };
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const select = { groupStart: 0, selectStart: 0, selectEnd: page.rows, groupRows: page.rows };
  const { data } = readColumn(reader, select, decoder);
  return data.flatMap((values) => Array.from(values as ArrayLike<unknown>, bare));
}

/** A value in a struct comes as a list of it, and as an empty one where the struct is null. */
function bare(value: unknown): unknown {
  return Array.isArray(value) ? bare(value[0]) : value;
}

async function readSpan(file: FileHandle, { start, end }: Span): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
  if (bytesRead < end - start) throw new Error('a file that is cut');
  return buffer;
}
