import type { Connection } from '@lancedb/lancedb';
import { type IndexFolder, notFound } from './index-folder.ts';
import { attemptRead, tableLost } from './store-errors.ts';

/** Tables that every index has beside those of its generations, in the order in which they are made. */
export const BASE_TABLES = [
  'generations',
  'collections',
  'failures',
  'runs',
  'chunks',
  'chunk_results',
] as const;
/** Indexes of format 1 have none. */
const LEDGER: readonly string[] = ['chunks', 'chunk_results'];

/**
 * What of its own tables an index still has to get: all of them where it is being made, the ledger where it is of before
 * there was one. Anything else that is missing was there once: a new one in its place would hide what is lost. Throws
 * STORE_NOT_FOUND for an index that is not made yet, unless `create`; STORE_TABLE_LOST.
 */
export async function tablesToMake(
  folder: IndexFolder,
  connection: Connection,
  create: boolean,
): Promise<ReadonlySet<string>> {
  const names = await tableNames(folder, connection);
  const missing = BASE_TABLES.filter((name) => !names.includes(name));
  if (missing.length === 0) return new Set();
  const isNew = !folder.isMade && !names.some((name) => /\.(images|captions)$/.test(name));
  if (isNew && create) return new Set(BASE_TABLES);
  if (isNew) throw notFound(folder.path);
  const older = folder.format < 2 ? LEDGER : [];
  // Listed again: a list that is read while tables are made need not hold the first of two that it meets.
  const now = await tableNames(folder, connection);
  const [lost] = missing.filter((name) => !older.includes(name) && !now.includes(name));
  if (lost !== undefined) throw tableLost(lost, folder.path);
  return new Set(missing);
}

async function tableNames(folder: IndexFolder, connection: Connection): Promise<string[]> {
  return attemptRead(`index "${folder.path}"`, () => connection.tableNames({ limit: 1_000_000 }));
}
