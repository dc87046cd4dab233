import type { Connection } from '@lancedb/lancedb';
import { type RecordBatch, Schema } from 'apache-arrow';
import { readNumber, readOptionalTime, readText, readTime } from './column-readers.ts';
import { int64Column, optionalTimeColumn, textColumn, timeColumn } from './columns.ts';
import type { RunRecord, RunTable } from './contract.ts';
import { openLanceTable } from './lance-table.ts';
import { rows } from './row-stream.ts';

export async function openRunTable(
  connection: Connection,
  folder: string,
  create: boolean,
): Promise<RunTable & AsyncDisposable> {
  const schema = new Schema(columns.map((column) => column.field));
  const spec = { name: 'runs', schema, key: ['id'], indexed: [] };
  const lance = await openLanceTable(connection, folder, spec, create);
  return {
    upsert: (record) => lance.upsert(columns.map((column) => column.data([record]))),
    scan: () => rows(lance.read({ columns: names }), { reader }),
    [Symbol.asyncDispose]: () => lance.close(),
  };
}

const columns = [
  textColumn('id', (record: RunRecord) => record.id),
  textColumn('source', (record: RunRecord) => record.source),
  textColumn('collection', (record: RunRecord) => record.collection),
  textColumn('generation', (record: RunRecord) => record.generation),
  textColumn('state', (record: RunRecord) => record.state),
  int64Column('seen', (record: RunRecord) => record.seen),
  int64Column('stored', (record: RunRecord) => record.stored),
  int64Column('skipped', (record: RunRecord) => record.skipped),
  int64Column('failed', (record: RunRecord) => record.failed),
  timeColumn('started_at', (record: RunRecord) => record.startedAt),
  optionalTimeColumn('ended_at', (record: RunRecord) => record.endedAt),
];
const names = columns.map((column) => column.field.name);

function reader(batch: RecordBatch): (index: number) => RunRecord {
  const id = readText(batch, 'id');
  const source = readText(batch, 'source');
  const collection = readText(batch, 'collection');
  const generation = readText(batch, 'generation');
  const state = readText(batch, 'state');
  const seen = readNumber(batch, 'seen');
  const stored = readNumber(batch, 'stored');
  const skipped = readNumber(batch, 'skipped');
  const failed = readNumber(batch, 'failed');
  const startedAt = readTime(batch, 'started_at');
  const endedAt = readOptionalTime(batch, 'ended_at');
  return (index) => ({
    id: id(index),
    source: source(index),
    collection: collection(index),
    generation: generation(index),
    state: state(index) as RunRecord['state'],
    seen: seen(index),
    stored: stored(index),
    skipped: skipped(index),
    failed: failed(index),
    startedAt: startedAt(index),
    endedAt: endedAt(index),
  });
}
