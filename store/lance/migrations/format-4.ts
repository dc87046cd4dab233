import type { Connection, Table } from '@lancedb/lancedb';
import {
  Table as ArrowTable,
  RecordBatch as Batch,
  makeData,
  type RecordBatch,
  Schema,
  Struct,
} from 'apache-arrow';
import { readText } from '../column-readers.ts';
import { jsonColumn, textColumn } from '../columns.ts';
import { META_FIELDS, metaFieldsJson, OLD_FIELDS_SQL } from '../meta-fields.ts';
import type { Migration } from './migration.ts';

/** Filters find the elements of lists, the numbers that texts spell and the texts of numbers, in rows of before too. */
export const toFormat4: Migration = {
  brings: 'filters compare numbers and texts as they are written, and elements of lists',
  async takes(connection) {
    let rows = 0;
    for (const table of await vectorTables(connection)) rows += await table.countRows(OLD_FIELDS_SQL);
    return `some ${Math.ceil(rows / ROWS_PER_SECOND)} s for ${rows} rows`;
  },
  async run(connection) {
    for (const table of await vectorTables(connection)) {
      const old = table.query().where(OLD_FIELDS_SQL).select(['id', 'meta']);
      let rows: OldRow[] = [];
      for await (const batch of old as AsyncIterable<RecordBatch>) {
        rows.push(...readRows(batch));
        if (rows.length < ROWS_AT_ONCE) continue;
        await rewrite(table, rows);
        rows = [];
      }
      await rewrite(table, rows);
    }
  },
};

/** A guess on the safe side for two cores: it is said before the work begins, and decides nothing. */
const ROWS_PER_SECOND = 10_000;
/** Of one commit; what is done before a kill stays done. */
const ROWS_AT_ONCE = 16_384;

interface OldRow {
  readonly id: string;
  readonly meta: string;
}

async function vectorTables(connection: Connection): Promise<Table[]> {
  const names = await connection.tableNames({ limit: 1_000_000 });
  const found = names.filter((name) => /\.(images|captions)$/.test(name));
  return Promise.all(found.map((name) => connection.openTable(name)));
}

function readRows(batch: RecordBatch): OldRow[] {
  const [id, meta] = [readText(batch, 'id'), readText(batch, 'meta')];
  return Array.from({ length: batch.numRows }, (_, i) => ({ id: id(i), meta: meta(i) }));
}

const COLUMNS = [
  textColumn('id', (row: OldRow) => row.id),
  jsonColumn(META_FIELDS, (row: OldRow) => metaFieldsJson(JSON.parse(row.meta) as Record<string, unknown>)),
];

/** Writes the one column; the others, vectors among them, stay where they are. */
async function rewrite(table: Table, rows: readonly OldRow[]): Promise<void> {
  if (rows.length === 0) return;
  const schema = new Schema(COLUMNS.map(({ field }) => field));
  const children = COLUMNS.map((column) => column.data(rows));
  const data = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children });
  const update = table.mergeInsert(['id']).whenMatchedUpdateAll().useIndex(false);
  await update.execute(new ArrowTable(schema, new Batch(schema, data)));
}
