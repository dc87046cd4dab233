import { type Connection, Index, type Table } from '@lancedb/lancedb';
import { Table as ArrowTable, type Data, makeData, RecordBatch, type Schema, Struct } from 'apache-arrow';
import { errorMessage } from '#errors.ts';
import { attemptRead, attemptWrite } from './attempt.ts';
import { createTidying } from './tidying.ts';

export interface LanceTableSpec {
  readonly name: string;
  readonly schema: Schema;
  /** The columns that tell rows apart: an upsert replaces the row with the same values. */
  readonly key: readonly string[];
  /** Columns that get a BTREE index once the table is large enough for one to help. */
  readonly indexed: readonly string[];
}

export interface ReadRequest {
  readonly columns: readonly string[];
  readonly where?: string | undefined;
}

export interface NearestRequest extends ReadRequest {
  readonly query: Float32Array;
  readonly limit: number;
}

/** One LanceDB table, with errors in our words and its writes one after the other. */
export interface LanceTable {
  /** Writes rows in one commit; `columns` holds the data of each column in the schema's order. */
  upsert(columns: readonly Data[]): Promise<void>;
  delete(where: string): Promise<void>;
  count(where?: string): Promise<number>;
  /** The rows of the newest version, batch by batch. */
  read(request: ReadRequest): AsyncGenerator<RecordBatch>;
  /** The rows with the smallest `_distance` = 1 - dot product, nearest first, by comparing with every vector. */
  readNearest(request: NearestRequest): AsyncGenerator<RecordBatch>;
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
    : await attemptRead(what, () => connection.openTable(spec.name));
  const tidying = createTidying();

  // Lance would retry a commit that meets another one, at the price of doing its work again: one at a time is
  // cheaper, and an upsert never meets the compaction of the fragments it changes.
  let lastWrite: Promise<unknown> = Promise.resolve();
  function write(step: () => Promise<void>): Promise<void> {
    const written = lastWrite.then(() => attemptWrite(what, step));
    lastWrite = written.catch(() => undefined);
    return written;
  }

  async function optimize(): Promise<void> {
    await optimizeTable(table, spec.indexed);
    tidying.done(await table.countRows());
  }

  return {
    upsert: (columns) =>
      write(async () => {
        const batch = recordBatch(spec.schema, columns);
        if (batch.numRows === 0) return;
        await table
          .mergeInsert([...spec.key])
          .whenMatchedUpdateAll()
          .whenNotMatchedInsertAll()
          .execute(new ArrowTable(spec.schema, batch));
        if (tidying.isDueAfter(batch.numRows)) await optimize();
      }),
    delete: (where) =>
      write(async () => {
        await table.delete(where);
      }),
    count: (where) => attemptRead(what, () => table.countRows(where)),
    read({ columns, where }) {
      const query = table.query().select([...columns]);
      return batches(what, where === undefined ? query : query.where(where));
    },
    readNearest({ columns, where, query, limit }) {
      const search = table.query().nearestTo(query).column('vector').distanceType('dot').bypassVectorIndex();
      search.limit(limit).select([...columns, '_distance']);
      return batches(what, where === undefined ? search : search.where(where));
    },
    optimize: () => write(optimize),
    async close() {
      await lastWrite;
      table.close();
    },
  };
}

/** Not `existOk`: it compares schemas, and the JSON column of a table that exists never equals the one asked for. */
async function openOrCreate(connection: Connection, { name, schema }: LanceTableSpec): Promise<Table> {
  try {
    return await connection.openTable(name);
  } catch (error) {
    if (!/was not found/.test(errorMessage(error))) throw error;
    return connection.createEmptyTable(name, schema);
  }
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
