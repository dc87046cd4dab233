import { type Connection, connect, type Table } from '@lancedb/lancedb';
import { errorMessage } from '#errors.ts';
import { BASE_TABLES } from './base-tables.ts';
import { type IndexFolder, openIndexFolder } from './index-folder.ts';
import { hasTextIndex } from './text-index.ts';

/** What is found of one table when all of it but its vectors is read. */
export interface TableReport {
  readonly name: string;
  readonly rows: number;
  /** Why it cannot be read; undefined where all of it can. */
  readonly fault: string | undefined;
  /** Indexes that cover another number of rows than the table has. */
  readonly wrongIndexes: readonly string[];
  /** Whether keywords are looked for by an index. */
  readonly hasTextIndex: boolean;
}

export interface IndexReport {
  readonly folder: IndexFolder;
  readonly tables: readonly TableReport[];
}

/**
 * Reads every table that an index has or must have, whether or not the index can be opened; nothing is written. `onRows`
 * is told of rows as they are read. Throws what finding the index throws.
 */
export async function inspectTables(uri: string, onRows: (count: number) => void): Promise<IndexReport> {
  const folder = await openIndexFolder(uri, { create: false });
  const connection = await connect(folder.lancePath, { readConsistencyInterval: 0 });
  try {
    const names = await connection.tableNames({ limit: 1_000_000 }).catch(() => []);
    // Indexes of format 1 have no ledger.
    const expected = BASE_TABLES.filter((name) => folder.format >= 2 || !name.startsWith('chunk'));
    const tables: TableReport[] = [];
    for (const name of new Set([...expected, ...names])) tables.push(await inspect(connection, name, onRows));
    return { folder, tables };
  } finally {
    connection.close();
  }
}

async function inspect(
  connection: Connection,
  name: string,
  onRows: (count: number) => void,
): Promise<TableReport> {
  let rows = 0;
  try {
    const table = await connection.openTable(name);
    rows = await table.countRows();
    const columns = (await table.schema()).fields.map((field) => field.name);
    let read = 0;
    for await (const batch of table.query().select(columns.filter((column) => column !== 'vector'))) {
      read += batch.numRows;
      onRows(batch.numRows);
    }
    // Somebody may be writing: fewer than there were is what nothing explains but damage.
    if (read < rows && (await table.countRows()) >= rows)
      throw new Error(`${rows} rows are counted, ${read} can be read`);
    const indexes = { wrongIndexes: await wrongIndexes(table), hasTextIndex: await hasTextIndex(table) };
    return { name, rows, fault: undefined, ...indexes };
  } catch (error) {
    const [first = ''] = errorMessage(error).split('\n');
    return { name, rows, fault: first.slice(0, MOST), wrongIndexes: [], hasTextIndex: false };
  }
}

/** Lance's messages name lines of its own source, and repeat themselves. */
const MOST = 300;

/** Looked at again while somebody writes: what is counted before and after a commit never agrees. */
async function wrongIndexes(table: Table): Promise<string[]> {
  for (let left = TRIES; left > 0; left--) {
    const version = await table.version();
    const wrong: string[] = [];
    for (const { name } of await table.listIndices()) {
      const stats = await table.indexStats(name);
      const covered = (stats?.numIndexedRows ?? 0) + (stats?.numUnindexedRows ?? 0);
      if (covered !== (await table.countRows())) wrong.push(name);
    }
    if (wrong.length === 0 || (await table.version()) === version) return wrong;
  }
  return [];
}

const TRIES = 5;
