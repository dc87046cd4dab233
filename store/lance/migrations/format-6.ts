import type { Connection, Table } from '@lancedb/lancedb';
import { Table as ArrowTable, RecordBatch as Batch, makeData, Schema, Struct } from 'apache-arrow';
import { termsOf } from '#store/words.ts';
import { readText } from '../column-readers.ts';
import { optionalTextColumn, textColumn } from '../columns.ts';
import { ensureTextIndex } from '../text-index.ts';
import { addMissing } from './alter-table.ts';
import type { Migration } from './migration.ts';

/** Captions have the terms that keywords find them by; the text indexes over captions give way to ones over those. */
export const toFormat6: Migration = {
  brings:
    'keywords are found whatever their case and accents, and inside text without spaces; text indexes are rebuilt',
  async takes(connection) {
    let rows = 0;
    for (const table of await captionTables(connection)) rows += await table.countRows();
    return `some ${Math.ceil(rows / ROWS_PER_SECOND)} s for ${rows} captions`;
  },
  async run(connection) {
    for (const table of await captionTables(connection)) {
      await addMissing(table, { words: 'CAST(NULL AS STRING)' });
      await fillIn(table);
      const old = (await table.listIndices()).filter((index) => index.columns.includes('caption'));
      // The old one goes last: until then it is known that there has to be one.
      if (old.length > 0) await ensureTextIndex(table);
      for (const { name } of old) await table.dropIndex(name);
    }
  },
};

/** A guess on the safe side for two cores: it is said before the work begins, and decides nothing. */
const ROWS_PER_SECOND = 20_000;
/** Of one commit; what is done before a kill stays done. */
const ROWS_AT_ONCE = 16_384;

async function captionTables(connection: Connection): Promise<Table[]> {
  const names = await connection.tableNames({ limit: 1_000_000 });
  const found = names.filter((name) => name.endsWith('.captions'));
  return Promise.all(found.map((name) => connection.openTable(name)));
}

interface Row {
  readonly key: string;
  readonly caption: string;
}

async function fillIn(table: Table): Promise<void> {
  let rows: Row[] = [];
  for await (const batch of table.query().where('words IS NULL').select(['key', 'caption'])) {
    const [key, caption] = [readText(batch, 'key'), readText(batch, 'caption')];
    for (let i = 0; i < batch.numRows; i++) rows.push({ key: key(i), caption: caption(i) });
    if (rows.length < ROWS_AT_ONCE) continue;
    await write(table, rows);
    rows = [];
  }
  await write(table, rows);
}

const COLUMNS = [
  textColumn('key', (row: Row) => row.key),
  optionalTextColumn('words', (row: Row) => termsOf(row.caption).join(' ')),
];

/** Writes the one column; the others, vectors among them, stay where they are. */
async function write(table: Table, rows: readonly Row[]): Promise<void> {
  if (rows.length === 0) return;
  const schema = new Schema(COLUMNS.map(({ field }) => field));
  const children = COLUMNS.map((column) => column.data(rows));
  const data = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children });
  const update = table.mergeInsert(['key']).whenMatchedUpdateAll().useIndex(false);
  await update.execute(new ArrowTable(schema, new Batch(schema, data)));
}
