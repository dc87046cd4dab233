import { readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection, Table } from '@lancedb/lancedb';
import type { RecordBatch } from 'apache-arrow';
import { withLock } from '#lock-file.ts';
import type { SourceRename } from '#store/contract.ts';
import { toWellFormed } from '#well-formed.ts';
import { readOptionalText, readText } from './column-readers.ts';
import type { IndexFolder } from './index-folder.ts';
import { keySql } from './key-sql.ts';
import { retryConflicts } from './retry-conflicts.ts';
import { sqlText } from './sql.ts';

const PENDING = '.rename.json';
const LOCK = '.rename.lock';

/**
 * Gives all that came from a source another name, a commit a table. What is to be done is written down first and the runs come last:
 * each step finds nothing left to do where it was done before a kill.
 */
export async function renameSource(
  { path }: Pick<IndexFolder, 'path'>,
  connection: Connection,
  { from, to }: SourceRename,
): Promise<void> {
  await withLock(join(path, LOCK), async () => {
    const file = join(path, PENDING);
    await writeFile(`${file}.new`, JSON.stringify({ from, to }), { mode: 0o600 });
    await rename(`${file}.new`, file);
    await renameRows(connection, sqlText(toWellFormed(from)), sqlText(toWellFormed(to)));
    await renameInItems(connection, from, to);
    const runs = await connection.openTable('runs');
    await update(runs, `source = ${sqlText(toWellFormed(from))}`, { source: sqlText(toWellFormed(to)) });
    await unlink(file);
  });
}

/** A renaming that was begun and not finished. */
export async function pendingRename({ path }: Pick<IndexFolder, 'path'>): Promise<SourceRename | undefined> {
  try {
    return JSON.parse(await readFile(join(path, PENDING), 'utf8')) as SourceRename;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function renameRows(connection: Connection, from: string, to: string): Promise<void> {
  const where = `source = ${from}`;
  for (const name of await connection.tableNames({ limit: 1_000_000 })) {
    const kind = /\.(image|caption)s$/.exec(name)?.[1];
    if (kind === undefined && name !== 'failures') continue;
    const table = await connection.openTable(name);
    const key = keySql(to, kind === undefined ? 'kind' : sqlText(kind), 'id');
    await update(table, where, { source: to, key });
    if (kind !== 'caption') continue;
    const image_key = keySql(to, sqlText('image'), 'image_id');
    await update(table, `image_source = ${from}`, { image_source: to, image_key });
  }
}

/** Captions that failed say in their items which source their picture is of. */
async function renameInItems(connection: Connection, from: string, to: string): Promise<void> {
  const table = await connection.openTable('failures');
  const found = table
    .query()
    .where(`kind = 'caption' AND item LIKE '%"imageSource"%'`)
    .select(['collection', 'key', 'item']);
  for await (const batch of found as AsyncIterable<RecordBatch>) {
    const [collection, key, text] = [
      readText(batch, 'collection'),
      readText(batch, 'key'),
      readOptionalText(batch, 'item'),
    ];
    for (let row = 0; row < batch.numRows; row++) {
      const item = JSON.parse(text(row) ?? '{}') as { readonly imageSource?: unknown };
      if (item.imageSource !== from) continue;
      const where = `collection = ${sqlText(collection(row))} AND key = ${sqlText(key(row))}`;
      await update(table, where, { item: sqlText(JSON.stringify({ ...item, imageSource: to })) });
    }
  }
}

async function update(table: Table, where: string, valuesSql: Record<string, string>): Promise<void> {
  // An update of nothing would be a commit all the same.
  if ((await table.countRows(where)) > 0)
    await retryConflicts(async () => {
      await table.update({ where, valuesSql });
    });
}
