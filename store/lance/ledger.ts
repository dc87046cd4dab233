import type { Connection } from '@lancedb/lancedb';
import { type RecordBatch, Schema } from 'apache-arrow';
import type { ChunkRecord, ChunkResult, KindCounts, Ledger, LedgerTally } from '#store/contract.ts';
import { addKinds, NO_KINDS } from '#store/kind-counts.ts';
import { readNumber, readOptionalText, readText } from './column-readers.ts';
import { type Column, int32Column, optionalTextColumn, textColumn, timeColumn } from './columns.ts';
import { type LanceTable, openLanceTable } from './lance-table.ts';
import { FORMAT_9 } from './migrations/format-9.ts';
import { chunks as pieces, rows } from './row-stream.ts';
import { sqlIn, sqlText } from './sql.ts';

const RECENT_MS = 60_000;

/** The ledger of an index; with `create`, its tables are made where they are not there yet. */
export async function openLedger(
  connection: Connection,
  folder: string,
  create: boolean,
): Promise<Ledger & AsyncDisposable> {
  const chunkSpec = { ...spec('chunks', chunkColumns, ['run', 'id']), isTransient: true };
  const chunks = await openLanceTable(connection, folder, chunkSpec, create);
  const results = await openLanceTable(
    connection,
    folder,
    { ...spec('chunk_results', resultColumns, ['run', 'chunk']), added: FORMAT_9 },
    create,
  );

  async function* ids(run: string): AsyncGenerator<string> {
    for await (const batch of chunks.read({ columns: ['id'], where: ofRun(run) })) yield* texts(batch, 'id');
  }

  async function settledOf(run: string): Promise<Set<string>> {
    const settled = new Set<string>();
    for await (const batch of results.read({ columns: ['chunk'], where: ofRun(run) }))
      for (const id of texts(batch, 'chunk')) settled.add(id);
    return settled;
  }

  return {
    async addChunks(records) {
      await chunks.insert(chunkColumns.map((column) => column.data(records)));
    },
    async settle(records) {
      // One job may be given out twice, and both ends may come in one commit.
      const first = new Map(records.toReversed().map((record) => [`${record.run} ${record.chunk}`, record]));
      const distinct = [...first.values()];
      await results.insert(resultColumns.map((column) => column.data(distinct)));
    },
    async tally(run, now = new Date()) {
      const items = await itemsOf(chunks, run);
      return addUp(results, run, items, now.getTime() - RECENT_MS);
    },
    ids,
    async *unsettled(run) {
      const settled = await settledOf(run);
      for await (const id of ids(run)) if (!settled.has(id)) yield id;
    },
    async find(run, wanted) {
      const found: ChunkRecord[] = [];
      for (const some of pieces(wanted)) {
        const where = `${ofRun(run)} AND ${sqlIn('id', some)}`;
        const columns = chunkColumns.map((column) => column.field.name);
        for await (const record of rows(chunks.read({ columns, where }), { reader })) found.push(record);
      }
      return found;
    },
    async remove(run, unwanted) {
      for (const some of pieces(unwanted)) {
        await chunks.delete(`${ofRun(run)} AND ${sqlIn('id', some)}`);
        await results.delete(`${ofRun(run)} AND ${sqlIn('chunk', some)}`);
      }
    },
    async drop(run) {
      await chunks.delete(ofRun(run));
      await results.delete(ofRun(run));
      await chunks.optimize();
      await results.optimize();
    },
    async [Symbol.asyncDispose]() {
      await chunks.close();
      await results.close();
    },
  };
}

const chunkColumns = [
  textColumn('run', (chunk: ChunkRecord) => chunk.run),
  textColumn('id', (chunk: ChunkRecord) => chunk.id),
  int32Column('items', (chunk: ChunkRecord) => chunk.items),
  textColumn('data', (chunk: ChunkRecord) => chunk.data),
  textColumn('priority', (chunk: ChunkRecord) => chunk.priority),
];

const resultColumns = [
  textColumn('run', (result: ChunkResult) => result.run),
  textColumn('chunk', (result: ChunkResult) => result.chunk),
  int32Column('stored', (result: ChunkResult) => result.stored),
  int32Column('skipped', (result: ChunkResult) => result.skipped),
  int32Column('failed', (result: ChunkResult) => result.failed),
  timeColumn('at', (result: ChunkResult) => result.at),
  optionalTextColumn('kinds', (result: ChunkResult) => result.kinds && JSON.stringify(result.kinds)),
];

function spec<Row>(name: string, columns: readonly Column<Row>[], key: readonly string[]) {
  return { name, schema: new Schema(columns.map((column) => column.field)), key, indexed: [] };
}

function ofRun(run: string): string {
  return `run = ${sqlText(run)}`;
}

function reader(batch: RecordBatch): (index: number) => ChunkRecord {
  const run = readText(batch, 'run');
  const id = readText(batch, 'id');
  const items = readNumber(batch, 'items');
  const data = readText(batch, 'data');
  const priority = readText(batch, 'priority');
  return (index) => ({
    run: run(index),
    id: id(index),
    items: items(index),
    data: data(index),
    priority: priority(index),
  });
}

function* texts(batch: RecordBatch, column: string): Generator<string> {
  const text = readText(batch, column);
  for (let index = 0; index < batch.numRows; index++) yield text(index);
}

/** Items of each chunk of a run, by its id. */
async function itemsOf(chunks: LanceTable, run: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for await (const batch of chunks.read({ columns: ['id', 'items'], where: ofRun(run) })) {
    const items = readNumber(batch, 'items');
    let index = 0;
    for (const id of texts(batch, 'id')) found.set(id, items(index++));
  }
  return found;
}

async function addUp(
  results: LanceTable,
  run: string,
  items: Map<string, number>,
  since: number,
): Promise<LedgerTally> {
  const sums = { stored: 0, skipped: 0, failed: 0, recent: 0 };
  let kinds = NO_KINDS;
  const columns = resultColumns.map((column) => column.field.name);
  for await (const batch of results.read({ columns, where: ofRun(run) })) {
    const [stored, skipped, failed, at] = ['stored', 'skipped', 'failed', 'at'].map((name) =>
      readNumber(batch, name),
    ) as [Read, Read, Read, Read];
    const apart = readOptionalText(batch, 'kinds');
    let index = 0;
    for (const chunk of texts(batch, 'chunk')) {
      const i = index++;
      const count = items.get(chunk);
      if (count === undefined) continue;
      sums.stored += stored(i);
      sums.skipped += skipped(i);
      sums.failed += failed(i);
      kinds = addKinds(kinds, (JSON.parse(apart(i) ?? 'null') as KindCounts | null) ?? NO_KINDS);
      if (at(i) >= since) sums.recent += count;
    }
  }
  const all = [...items.values()].reduce((sum, count) => sum + count, 0);
  return { chunks: items.size, items: all, ...sums, kinds };
}

type Read = (index: number) => number;
