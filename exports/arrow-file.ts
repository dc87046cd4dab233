import { open } from 'node:fs/promises';
import {
  AsyncByteQueue,
  Bool,
  type Data,
  type DataType,
  Field,
  FixedSizeList,
  Float16,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import type { Column } from './columns.ts';
import type { Batch, OutputFile } from './output-file.ts';

/** Rows as an Arrow file; vectors are fixed-size lists of float16, as they are stored. */
export async function createArrowOutput(
  path: string,
  columns: readonly Column[],
  vectors: Readonly<Record<string, number>>,
): Promise<OutputFile> {
  const schema = new Schema([
    ...columns.map(({ name, type }) => new Field(name, arrowType(type), true)),
    ...Object.entries(vectors).map(([name, width]) => new Field(name, vectorType(width), false)),
  ]);
  const file = await open(path, 'w');
  const pieces = new Pieces();
  const writer = new RecordBatchFileWriter();
  writer.reset(pieces, schema);
  const flush = async (): Promise<void> => {
    for (const piece of pieces.take()) await file.appendFile(piece);
  };
  return {
    async write(batch) {
      writer.write(toRecordBatch(schema, columns, vectors, batch));
      await flush();
    },
    async end() {
      try {
        writer.finish();
        await flush();
      } finally {
        await file.close();
      }
    },
  };
}

/** What the writer has written, until it is taken: its own queue has no end that could be waited for. */
class Pieces extends AsyncByteQueue<Uint8Array> {
  #pieces: Uint8Array[] = [];

  override write(piece: ArrayBufferView | ArrayBufferLike): void {
    const view = ArrayBuffer.isView(piece) ? piece : new Uint8Array(piece);
    this.#pieces.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  }

  take(): Uint8Array[] {
    const taken = this.#pieces;
    this.#pieces = [];
    return taken;
  }
}

function toRecordBatch(
  schema: Schema,
  columns: readonly Column[],
  vectors: Readonly<Record<string, number>>,
  { rows, vectors: halves }: Batch,
): RecordBatch {
  const children = [
    ...columns.map((column) => columnData(column, rows)),
    ...Object.entries(vectors).map(([name, width]) => vectorData(halves[name] as Uint16Array, width)),
  ];
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length: rows.length, nullCount: 0, children }));
}

function columnData({ type, value }: Column, rows: readonly object[]): Data {
  const values = rows.map((row) => {
    const found = value(row as never) ?? null;
    if (found === null) return null;
    if (type === 'json') return JSON.stringify(found);
    return type === 'int64' ? BigInt(found as number) : found;
  });
  return vectorFromArray(values, arrowType(type)).data[0] as Data;
}

function arrowType(type: Column['type']): DataType {
  if (type === 'int32') return new Int32();
  if (type === 'int64') return new Int64();
  if (type === 'time') return new TimestampMillisecond();
  return type === 'bool' ? new Bool() : new Utf8();
}

function vectorType(width: number): FixedSizeList<Float16> {
  return new FixedSizeList(width, new Field('item', new Float16(), false));
}

function vectorData(halves: Uint16Array, width: number): Data {
  const child = makeData({ type: new Float16(), length: halves.length, nullCount: 0, data: halves });
  return makeData({ type: vectorType(width), length: halves.length / width, nullCount: 0, child });
}
