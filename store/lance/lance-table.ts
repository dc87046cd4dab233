import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Connection,
  Index,
  type MergeInsertBuilder,
  type MergeResult,
  type Table,
} from '@lancedb/lancedb';
import { Table as ArrowTable, type Data, Field, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { errorMessage, VlmoError } from '#errors.ts';
import type { VectorIndexState } from '#store/contract.ts';
import { createTidying } from './compaction-policy.ts';
import { keyMarks } from './key-marks.ts';
import { isConflict, retryConflicts } from './retry-conflicts.ts';
import { attemptRead, attemptWrite, tableLost } from './store-errors.ts';
import { ensureTextIndex, hasTextIndex, textMatches } from './text-index.ts';
import { buildVectorIndex, dropVectorIndex, readVectorIndex, searchByIndex } from './vector-index.ts';

export interface LanceTableSpec {
  readonly name: string;
  readonly schema: Schema;
  /** The columns that tell rows apart: an upsert replaces the row with the same values. */
  readonly key: readonly string[];
  /** Columns that get a BTREE index once the table is large enough for one to help. */
  readonly indexed: readonly string[];
  /** Rows that are large and soon gone: merging their fragments in the middle of the writes never pays. */
  readonly isTransient?: boolean;
  /** Columns that tables of an older format lack, and what their rows have there until they are brought up to date, as SQL. */
  readonly added?: Readonly<Record<string, string>>;
}

export interface ReadRequest {
  readonly columns: readonly string[];
  readonly where?: string | undefined;
}

export interface NearestRequest extends ReadRequest {
  readonly query: Float32Array;
  readonly limit: number;
  /** Partitions of the approximate index to look into; without it, every vector is compared. */
  readonly probes?: number;
}

/** One LanceDB table, with errors in our words and its writes one after the other. */
export interface LanceTable {
  /** A column in a filter: its name, or what stands for it in a table of an older format. */
  sql(column: string): string;
  /**
   * Writes rows in one commit; `columns` holds the data of each column in the schema's order. A row that is there is
   * replaced, with `where` only if that holds of it as `target` and of the new one as `source`.
   */
  upsert(columns: readonly Data[], where?: string): Promise<void>;
  /** As `upsert`, but a row that is there stays as it is. Resolves with the version that it made. */
  insert(columns: readonly Data[]): Promise<number>;
  /** As `upsert`, but adds no row. Resolves with the number of rows replaced. */
  replace(columns: readonly Data[], where: string): Promise<number>;
  delete(where: string): Promise<void>;
  count(where?: string): Promise<number>;
  /** The rows of the newest version, batch by batch. */
  read(request: ReadRequest): AsyncGenerator<RecordBatch>;
  /** As `read`, with the address of each row in `_rowid`. */
  readAddressed(request: ReadRequest): AsyncGenerator<RecordBatch>;
  /** The rows at these addresses, with them in `_rowid`; those that have gone since are passed over. */
  take(addresses: readonly bigint[], columns: readonly string[]): AsyncGenerator<RecordBatch>;
  /** Rises with every commit, of whichever process. */
  version(): Promise<number>;
  /** The rows with the smallest `_distance` = 1 - dot product (by the index, nearly), nearest first. */
  readNearest(request: NearestRequest): AsyncGenerator<RecordBatch>;
  /** Makes the full-text index of terms where there is none. Throws STORE_WRITE_FAILED, STORE_VERSION_UNSUPPORTED. */
  makeTextIndex(): Promise<void>;
  /** All rows that hold all of these terms, by the full-text index. */
  readMatches(terms: readonly string[], columns: readonly string[]): AsyncGenerator<RecordBatch>;
  /** The approximate index on `vector`. */
  vectorIndex(): Promise<VectorIndexState | undefined>;
  buildVectorIndex(): Promise<void>;
  dropVectorIndex(): Promise<void>;
  optimize(): Promise<void>;
  /** Waits for writes under way. */
  close(): Promise<void>;
}

/** Opens a table, or makes it where `create` is set. `folder` is for messages. */
export async function openLanceTable(
  connection: Connection,
  folder: string,
  spec: LanceTableSpec,
  create: boolean,
): Promise<LanceTable> {
  const what = `table "${spec.name}" in "${folder}"`;
  const table = create
    ? await attemptWrite(what, () => openOrCreate(connection, spec))
    : await attemptRead(what, () => openMade(connection, spec.name, folder));
  const lacking = await attemptRead(what, () => lackingColumns(table, spec));
  const tidying = createTidying();
  let textIndex: Promise<void> | undefined;

  // A commit that meets another one is done again, and costs its work twice: those of this process go one at a time.
  let lastWrite: Promise<unknown> = Promise.resolve();
  function write<T>(step: () => Promise<T>): Promise<T> {
    if (lacking.size > 0) return Promise.reject(openedToRead(what));
    const written = lastWrite.then(() => attemptWrite(what, () => retryConflicts(step)));
    lastWrite = written.catch(() => undefined);
    return written;
  }

  async function makeTextIndex(): Promise<void> {
    if (await attemptRead(what, () => hasTextIndex(table))) return;
    // Lance would take all texts apart first, and then find that it cannot write.
    await attemptWrite(what, () => access(join(folder, 'lance', `${spec.name}.lance`), constants.W_OK));
    await write(() => ensureTextIndex(table));
  }

  /** Other processes commit meanwhile: a compaction that meets them gives way, and is done another time. */
  async function optimize(): Promise<void> {
    await optimizeTable(table, spec.indexed).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
    tidying.done(await table.countRows());
  }

  async function merge(
    columns: readonly Data[],
    how: (merging: MergeInsertBuilder) => MergeInsertBuilder,
  ): Promise<Pick<MergeResult, 'version' | 'numUpdatedRows'>> {
    const batch = recordBatch(spec.schema, columns);
    if (batch.numRows === 0) return { version: 0, numUpdatedRows: 0 };
    const rows = new ArrowTable(spec.schema, batch);
    const result = await write(() =>
      // With an index Lance 12 does not see that another process inserts the same keys at the same time, and keeps
      // both rows; without, and with the marks on the key columns, the second commit is refused and done again.
      how(table.mergeInsert([...spec.key]))
        .useIndex(false)
        .execute(rows),
    );
    if (!spec.isTransient && tidying.isDueAfter(batch.numRows)) await write(optimize);
    return result;
  }

  const sql = (column: string): string => lacking.get(column) ?? column;

  function select<Query extends Selecting>(query: Query, columns: readonly string[]): Query {
    return query.select(
      lacking.size === 0 ? [...columns] : new Map(columns.map((name) => [name, sql(name)])),
    );
  }

  return {
    sql,
    async upsert(columns, where) {
      const update = where === undefined ? undefined : { where };
      await merge(columns, (merging) => merging.whenMatchedUpdateAll(update).whenNotMatchedInsertAll());
    },
    async insert(columns) {
      return (await merge(columns, (merging) => merging.whenNotMatchedInsertAll())).version;
    },
    async replace(columns, where) {
      return (await merge(columns, (merging) => merging.whenMatchedUpdateAll({ where }))).numUpdatedRows;
    },
    delete: (where) =>
      write(async () => {
        await table.delete(where);
      }),
    count: (where) => attemptRead(what, () => table.countRows(where)),
    read({ columns, where }) {
      const query = select(table.query(), columns);
      return batches(what, where === undefined ? query : query.where(where));
    },
    readAddressed({ columns, where }) {
      const query = select(table.query(), columns).withRowId();
      return batches(what, where === undefined ? query : query.where(where));
    },
    take: (addresses, columns) =>
      batches(what, select(table.takeRowIds([...addresses]), columns).withRowId()),
    version: () => attemptRead(what, () => table.version()),
    readNearest({ columns, where, query, limit, probes }) {
      const nearest = table.query().nearestTo(query).column('vector');
      const search =
        probes === undefined
          ? nearest.distanceType('dot').bypassVectorIndex()
          : searchByIndex(nearest, probes);
      select(search.limit(limit), [...columns, '_distance']);
      return batches(what, where === undefined ? search : search.where(where));
    },
    makeTextIndex() {
      textIndex ??= makeTextIndex().catch((error: unknown) => {
        textIndex = undefined;
        throw error;
      });
      return textIndex;
    },
    readMatches: (terms, columns) => batches(what, select(textMatches(table, terms), [...columns, '_score'])),
    vectorIndex: () => attemptRead(what, () => readVectorIndex(table)),
    buildVectorIndex: () => write(() => buildVectorIndex(table, what)),
    dropVectorIndex: () => write(() => dropVectorIndex(table)),
    optimize: () => write(optimize),
    async close() {
      await lastWrite;
      table.close();
    },
  };
}

async function openMade(connection: Connection, name: string, folder: string): Promise<Table> {
  try {
    return await connection.openTable(name);
  } catch (error) {
    if (/was not found/.test(errorMessage(error))) throw tableLost(name, folder, error);
    throw error;
  }
}

/** Not `existOk`: it compares schemas, and the JSON column of a table that exists never equals the one asked for. */
async function openOrCreate(connection: Connection, spec: LanceTableSpec): Promise<Table> {
  for (;;) {
    try {
      return await connection.openTable(spec.name);
    } catch (error) {
      if (!/was not found/.test(errorMessage(error))) throw error;
    }
    try {
      return await connection.createEmptyTable(spec.name, markedSchema(spec));
    } catch (error) {
      // Another process has made it since.
      if (!/already exists/.test(errorMessage(error)) && !isConflict(error)) throw error;
    }
  }
}

function markedSchema({ schema, key }: LanceTableSpec): Schema {
  const fields = schema.fields.map((field) => {
    if (!key.includes(field.name)) return field;
    const metadata = new Map([...field.metadata, ...Object.entries(keyMarks(key.indexOf(field.name)))]);
    return new Field(field.name, field.type, field.nullable, metadata);
  });
  return new Schema(fields);
}

/** What of its columns a table of an older format does not have, and what stands for them. */
async function lackingColumns(
  table: Table,
  { added = {} }: LanceTableSpec,
): Promise<ReadonlyMap<string, string>> {
  const names = new Set((await table.schema()).fields.map(({ name }) => name));
  return new Map(Object.entries(added).filter(([name]) => !names.has(name)));
}

/** Queries of LanceDB that take columns. */
interface Selecting {
  select(columns: string[] | Map<string, string>): this;
}

function openedToRead(what: string): VlmoError {
  return new VlmoError(
    'STORE_VERSION_UNSUPPORTED',
    `Cannot write ${what}: the index is of an older format and was opened to be read; "vlmo index" or "vlmo optimize" brings it up to date`,
  );
}

function recordBatch(schema: Schema, columns: readonly Data[]): RecordBatch {
  const length = columns[0]?.length ?? 0;
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length, nullCount: 0, children: [...columns] }));
}

async function* batches(what: string, query: AsyncIterable<RecordBatch>): AsyncGenerator<RecordBatch> {
  const iterator = query[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await attemptRead(what, () => iterator.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Fewer rows are found faster by reading them all. */
const MIN_INDEXED_ROWS = 5_000;
/**
 * Old versions stay this long, so that a reader in the middle of a scan of one does not lose its files. Longer
 * would cost disk: each compaction leaves the fragments it merged behind.
 */
const KEEP_VERSIONS_MS = 10 * 60_000;

async function optimizeTable(table: Table, indexed: readonly string[]): Promise<void> {
  await table.optimize({ cleanupOlderThan: new Date(Date.now() - KEEP_VERSIONS_MS) });
  if ((await table.countRows()) < MIN_INDEXED_ROWS) return;
  const existing = (await table.listIndices()).flatMap((index) => index.columns);
  for (const column of indexed) {
    if (!existing.includes(column)) await table.createIndex(column, { config: Index.btree() });
  }
}
