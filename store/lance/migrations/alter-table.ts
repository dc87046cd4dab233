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

/**
 * Makes other columns tell rows apart. A mark stays with its column for ever, so those that had one give way to copies of
 * themselves: only the lists of columns change, not the rows.
 */
export async function replaceKey(
  table: Table,
  from: readonly string[],
  to: readonly string[],
): Promise<void> {
  const marked = await markedColumns(table);
  if (to.length === marked.length && to.every((name) => marked.includes(name))) return;
  const old = from.filter((name) => marked.includes(name));
  if (old.length > 0) {
    await addMissing(table, Object.fromEntries(old.map((name) => [copyOf(name), name])));
    await table.dropColumns([...old]);
  }
  for (const { name } of (await table.schema()).fields.filter((field) => field.name.endsWith(COPY)))
    await table.alterColumns([{ path: name, rename: name.slice(0, -COPY.length) }]);
  for (const path of to) await table.alterColumns([{ path, nullable: false }]);
  await setKey(table, to);
}

const COPY = '__copy';

function copyOf(name: string): string {
  return name + COPY;
}

async function markedColumns(table: Table): Promise<string[]> {
  const { fields } = await table.schema();
  return fields.filter(({ metadata }) => metadata.has(KEY_MARK)).map(({ name }) => name);
}
