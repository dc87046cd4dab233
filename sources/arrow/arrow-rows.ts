import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Data, Field, Schema, Vector } from 'apache-arrow';
import type { RecordBatch } from 'apache-arrow/ipc/metadata/message';
import { errorMessage, VlmoError } from '#errors.ts';
import { throwIfMachine } from '#machine-error.ts';
import { filePath, memberUri } from '#uri.ts';
import type { ColumnRules } from '../columns.ts';
import { createPictureRow, type PictureRow } from '../picture-row.ts';
import { plainValue } from '../plain-value.ts';
import type { AnyRow, RowBatch } from '../row.ts';
import { type PictureField, pictureField, readColumns } from './batch-columns.ts';
import { arrowMessages } from './messages.ts';

/** Rows given out at a time. */
const ROWS = 1024;

interface Table {
  readonly schema: Schema;
  readonly pictures: PictureField | undefined;
  readonly toRow: PictureRow;
  readonly dictionaries: Map<number, Vector>;
}

/**
 * Streams the rows of an Arrow file or stream, a batch at a time, as ViLT and VLMo keep their data sets and Hugging Face its caches. The bytes of
 * pictures are not read: rows name where each lies. Throws SOURCE_COLUMN_MISSING, and SOURCE_ROW_INVALID where nothing of it can be read.
 */
export async function* arrowRows(
  uri: string,
  rules: ColumnRules,
  name = basename(uri),
): AsyncGenerator<RowBatch, void, void> {
  await using file = await open(filePath(uri), 'r');
  const { size } = await file.stat();
  let table: Table | undefined;
  let line = 1;
  try {
    for await (const { message, offset } of arrowMessages(file, size)) {
      if (message.isSchema()) table = openTable(uri, message.header() as Schema, rules, name);
      if (!table) throw new Error('one without a schema');
      if (message.isDictionaryBatch()) await takeDictionary(file, table, message.header(), offset);
      if (!message.isRecordBatch()) continue;
      const batch = message.header() as RecordBatch;
      const { schema, pictures, dictionaries } = table;
      const columns = await readColumns(file, schema, batch, offset, pictures?.buffer, dictionaries);
      const places = pictures && picturePlaces(uri, size, batch, columns, pictures, offset);
      for (let first = 0; first < batch.length; first += ROWS) {
        const count = Math.min(ROWS, batch.length - first);
        const rows = Array.from({ length: count }, (_, n) =>
          rowAt(table as Table, columns, places, first + n, line + n),
        );
        line += count;
        yield {
          rows,
          position: Math.min(
            size,
            offset + Math.round((message.bodyLength * (first + count)) / batch.length),
          ),
        };
      }
    }
    if (!table) throw new Error('an empty one');
    yield { rows: [], position: size };
  } catch (error) {
    throwIfMachine(`Cannot read "${uri}"`, error);
    if (error instanceof VlmoError) throw error;
    const received = errorMessage(error);
    const hint = /compression/i.test(received) ? '; write it without compression' : '';
    const broken = `expected an Arrow file, received ${received}${hint}`;
    if (line === 1)
      throw new VlmoError('SOURCE_ROW_INVALID', `Cannot read "${uri}": ${broken}`, { cause: error });
    yield { rows: [{ line, broken }], position: size };
  }
}

function openTable(uri: string, schema: Schema, rules: ColumnRules, name: string): Table {
  const names = schema.fields.map((field) => field.name);
  const pictures = rules.needsImage ? undefined : pictureField(schema, rules.named.imageColumn);
  const toRow = createPictureRow(names, rules, pictures?.name, name);
  if (typeof toRow === 'string')
    throw new VlmoError('SOURCE_COLUMN_MISSING', `Cannot read "${uri}": ${toRow}`);
  return { schema, pictures, toRow, dictionaries: new Map() };
}

async function takeDictionary(
  file: FileHandle,
  { schema, dictionaries }: Table,
  header: { readonly id: number; readonly data: RecordBatch; readonly isDelta: boolean },
  offset: number,
): Promise<void> {
  const type = schema.dictionaries.get(header.id);
  if (!type) throw new Error('one with a dictionary of no column');
  const values = new Schema([new Field('values', type, true)]);
  const [data] = await readColumns(file, values, header.data, offset, undefined, dictionaries);
  const vector = new Vector([data as Data]);
  const known = dictionaries.get(header.id);
  dictionaries.set(header.id, known && header.isDelta ? known.concat(vector) : vector);
}

/** Where the bytes of each row's picture lie; undefined for a row without one. */
function picturePlaces(
  uri: string,
  size: number,
  { buffers }: RecordBatch,
  columns: readonly Data[],
  { column, child, buffer }: PictureField,
  offset: number,
): (row: number) => string | undefined {
  const outer = columns[column] as Data;
  const data = child === undefined ? outer : (outer.children[child] as Data);
  const start = offset + (buffers[buffer]?.offset ?? 0);
  const length = buffers[buffer]?.length ?? 0;
  return (row) => {
    if (!outer.getValid(row) || !data.getValid(row)) return undefined;
    const [from, to] = [Number(data.valueOffsets[row]), Number(data.valueOffsets[row + 1])];
    if (!(from >= 0 && to >= from && to <= length)) return undefined;
    return memberUri('arrow', uri, { offset: start + from, size: to - from, of: size });
  };
}

function rowAt(
  { schema, pictures, toRow }: Table,
  columns: readonly Data[],
  places: ((row: number) => string | undefined) | undefined,
  row: number,
  line: number,
): AnyRow {
  const values: Record<string, unknown> = {};
  for (const [index, field] of schema.fields.entries())
    if (field.name !== pictures?.name)
      values[field.name] = plainValue(new Vector([columns[index] as Data]).get(row));
  return toRow(line, values, places?.(row));
}
