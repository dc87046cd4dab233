import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { connect, type Table } from '@lancedb/lancedb';
import { Table as ArrowTable, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { makeScratchFolder } from '#scratch-folder.ts';
import { termsOf } from '#store/words.ts';
import { readOptionalText, readText } from './column-readers.ts';
import { optionalTextColumn, textColumn } from './columns.ts';
import type { LanceTable } from './lance-table.ts';
import { attemptRead } from './store-errors.ts';
import { ensureTextIndex, textMatches, WORDS_COLUMN } from './text-index.ts';

/** Captions with a full-text index of their own, for as long as the process: what an index that may not be written lacks. */
export interface TextCopy extends AsyncDisposable {
  /** The rows that hold all terms, of what is stored now. */
  read(terms: readonly string[]): AsyncGenerator<RecordBatch>;
}

interface Copied extends AsyncDisposable {
  readonly version: number;
  readonly table: Table;
}

export const COPIED_COLUMNS = ['key', 'image_source', 'image_id', 'caption'];

/** Made when it is first read, and anew when the table has changed since. */
export function createTextCopy(source: LanceTable, what: string): TextCopy {
  let last: Promise<Copied> | undefined;

  async function current(): Promise<Copied> {
    const version = await source.version();
    const before = last;
    last = (async () => {
      const made = await before?.catch(() => undefined);
      if (made?.version === version) return made;
      await made?.[Symbol.asyncDispose]();
      return copy(source, version);
    })();
    return last;
  }

  return {
    async *read(terms) {
      const { table } = await attemptRead(what, current);
      const query = textMatches(table, terms).select([...COPIED_COLUMNS, '_score']);
      yield* query as AsyncIterable<RecordBatch>;
    },
    async [Symbol.asyncDispose]() {
      await (await last?.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}

async function copy(source: LanceTable, version: number): Promise<Copied> {
  const folder = await makeScratchFolder(tmpdir(), 'vlmo-words-');
  const connection = await connect(folder);
  const table = await connection.createEmptyTable('captions', SCHEMA);
  for await (const batch of source.read({ columns: COPIED_COLUMNS })) {
    const rows = readRows(batch);
    const children = COLUMNS.map((column) => column.data(rows));
    const data = makeData({ type: new Struct(SCHEMA.fields), length: rows.length, nullCount: 0, children });
    await table.add(new ArrowTable(SCHEMA, new RecordBatch(SCHEMA, data)));
  }
  await ensureTextIndex(table);
  return {
    ...{ version, table },
    async [Symbol.asyncDispose]() {
      table.close();
      connection.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Row {
  readonly key: string;
  readonly imageSource: string | null;
  readonly imageId: string | null;
  readonly caption: string;
}

const COLUMNS = [
  textColumn('key', (row: Row) => row.key),
  optionalTextColumn('image_source', (row: Row) => row.imageSource),
  optionalTextColumn('image_id', (row: Row) => row.imageId),
  textColumn('caption', (row: Row) => row.caption),
  textColumn(WORDS_COLUMN, (row: Row) => termsOf(row.caption).join(' ')),
];
const SCHEMA = new Schema(COLUMNS.map(({ field }) => field));

function readRows(batch: RecordBatch): Row[] {
  const [key, caption] = [readText(batch, 'key'), readText(batch, 'caption')];
  const [imageSource, imageId] = [
    readOptionalText(batch, 'image_source'),
    readOptionalText(batch, 'image_id'),
  ];
  return Array.from({ length: batch.numRows }, (_, i) => ({
    ...{ key: key(i), caption: caption(i), imageSource: imageSource(i), imageId: imageId(i) },
  }));
}
