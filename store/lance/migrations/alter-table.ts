import type { Connection, Table } from '@lancedb/lancedb';
import { KEY_MARK, keyMarks } from '../key-marks.ts';

/** A table of an index, undefined where whoever made the index was killed before it made the table. */
export async function openIfThere(connection: Connection, name: string): Promise<Table | undefined> {
  const names = await connection.tableNames({ limit: 1_000_000 });
  return names.includes(name) ? connection.openTable(name) : undefined;
}

/** Gives a table the columns that it lacks, in one commit; `added` holds the value of each row as SQL. */
export async function addMissing(table: Table, added: Readonly<Record<string, string>>): Promise<void> {
  const names = new Set((await table.schema()).fields.map(({ name }) => name));
  const lacking = Object.entries(added).filter(([name]) => !names.has(name));
  if (lacking.length > 0) await table.addColumns(lacking.map(([name, valueSql]) => ({ name, valueSql })));
}

/** Marks the columns that tell rows apart, where none are marked yet. */
export async function setKey(table: Table, key: readonly string[]): Promise<void> {
  const { fields } = await table.schema();
  if (fields.some(({ metadata }) => metadata.has(KEY_MARK))) return;
  await table.updateFieldMetadata(key.map((path, i) => ({ path, metadata: keyMarks(i) })));
}
