import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@lancedb/lancedb';
import { openFailureTable } from './failure-table.ts';
import { inspectTables } from './inspect-tables.ts';
import { openLedger } from './ledger.ts';
import { withFormatLock } from './migrations/migrate.ts';
import { openRunTable } from './run-table.ts';
import { attemptWrite, RENEWABLE_TABLES, tableLost } from './store-errors.ts';

/**
 * Makes tables of runs, failures and queued chunks that are gone or damaged anew, empty; what is left of a damaged one is
 * moved into the folder `damaged` of the index. Gives their names. Pictures, captions and the registry stay as they are,
 * and cannot be made anew. Throws STORE_TABLE_LOST where the registry is lost too.
 */
export async function renewTables(uri: string): Promise<readonly string[]> {
  const { folder, tables } = await inspectTables(uri, () => undefined);
  const faulty = tables.filter(({ fault }) => fault !== undefined).map(({ name }) => name);
  const [registry] = faulty.filter((name) => name === 'generations' || name === 'collections');
  if (registry !== undefined) throw tableLost(registry, folder.path);
  const renewed = faulty.filter((name) => RENEWABLE_TABLES.has(name));
  if (renewed.length === 0) return [];
  await attemptWrite(`index "${folder.path}"`, () =>
    withFormatLock(folder, async () => {
      for (const name of renewed) await moveAside(folder.path, name);
      const connection = await connect(folder.lancePath);
      const made = [
        await openFailureTable(connection, folder.path, true, {}),
        await openRunTable(connection, folder.path, true),
        await openLedger(connection, folder.path, true),
      ];
      for (const table of made) await table[Symbol.asyncDispose]();
      connection.close();
    }),
  );
  return renewed;
}

async function moveAside(index: string, name: string): Promise<void> {
  const place = join(index, 'lance', `${name}.lance`);
  const isThere = await stat(place).catch(() => undefined);
  if (!isThere) return;
  await mkdir(join(index, 'damaged'), { recursive: true });
  await rename(place, join(index, 'damaged', `${name}.lance.${Date.now()}`));
}
