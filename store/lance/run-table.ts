import type { Connection } from '@lancedb/lancedb';
import { type RecordBatch, Schema } from 'apache-arrow';
import type { RunRecord, RunTable } from '../contract.ts';
import { readBool, readNumber, readOptionalTime, readText, readTime } from './column-readers.ts';
import { boolColumn, int64Column, optionalTimeColumn, textColumn, timeColumn } from './columns.ts';
import { openLanceTable } from './lance-table.ts';
import { rows } from './row-stream.ts';
import { sqlText } from './sql.ts';
import { toStoredText } from './stored-text.ts';

export async function openRunTable(
  connection: Connection,
  folder: string,
  create: boolean,
): Promise<RunTable & AsyncDisposable> {
  const schema = new Schema(columns.map((column) => column.field));
  const spec = { name: 'runs', schema, key: ['id'], indexed: [], added };
  const lance = await openLanceTable(connection, folder, spec, create);
  return {
    upsert: (record) => lance.upsert(columns.map((column) => column.data([record]))),
    async find(id) {
      const where = `id = ${sqlText(toStoredText(id))}`;
      for await (const record of rows(lance.read({ columns: names, where }), { reader })) return record;
      return undefined;
    },
    scan(filter = {}) {
      const conditions = Object.entries(filter).map(([column, value]) => `${column} = ${sqlText(value)}`);
      const where = conditions.length > 0 ? conditions.join(' AND ') : undefined;
      return rows(lance.read({ columns: names, where }), { reader });
    },
    [Symbol.asyncDispose]: () => lance.close(),
  };
}

const columns = [
  textColumn('id', (record: RunRecord) => record.id),
  textColumn('kind', (record: RunRecord) => record.kind),
  textColumn('source', (record: RunRecord) => record.source),
  textColumn('collection', (record: RunRecord) => record.collection),
  textColumn('generation', (record: RunRecord) => record.generation),
  textColumn('state', (record: RunRecord) => record.state),
  boolColumn('submitted', (record: RunRecord) => record.submitted),
  textColumn('options', (record: RunRecord) => record.options),
  int64Column('seen', (record: RunRecord) => record.seen),
  int64Column('stored', (record: RunRecord) => record.stored),
  int64Column('skipped', (record: RunRecord) => record.skipped),
  int64Column('failed', (record: RunRecord) => record.failed),
  timeColumn('started_at', (record: RunRecord) => record.startedAt),
  optionalTimeColumn('ended_at', (record: RunRecord) => record.endedAt),
];
const added = { kind: "'direct'", submitted: 'true', options: "'{}'" };
const names = columns.map((column) => column.field.name);

function reader(batch: RecordBatch): (index: number) => RunRecord {
  const id = readText(batch, 'id');
  const kind = readText(batch, 'kind');
  const source = readText(batch, 'source');
  const collection = readText(batch, 'collection');
  const generation = readText(batch, 'generation');
  const state = readText(batch, 'state');
  const submitted = readBool(batch, 'submitted');
  const options = readText(batch, 'options');
  const seen = readNumber(batch, 'seen');
  const stored = readNumber(batch, 'stored');
  const skipped = readNumber(batch, 'skipped');
  const failed = readNumber(batch, 'failed');
  const startedAt = readTime(batch, 'started_at');
  const endedAt = readOptionalTime(batch, 'ended_at');
  return (index) => ({
    id: id(index),
    kind: kind(index) as RunRecord['kind'],
    source: source(index),
    collection: collection(index),
    generation: generation(index),
    state: state(index) as RunRecord['state'],
    submitted: submitted(index),
    options: options(index),
    seen: seen(index),
    stored: stored(index),
    skipped: skipped(index),
    failed: failed(index),
    startedAt: startedAt(index),
    endedAt: endedAt(index),
  });
}
