import type { Connection } from '@lancedb/lancedb';
import { type RecordBatch, Schema } from 'apache-arrow';
import type { RunRecord, RunTable, Truncated } from '#store/contract.ts';
import { toWellFormed } from '#well-formed.ts';
import {
  readBool,
  readNumber,
  readOptionalNumber,
  readOptionalText,
  readOptionalTime,
  readText,
  readTime,
} from './column-readers.ts';
import {
  boolColumn,
  int64Column,
  optionalInt64Column,
  optionalTextColumn,
  optionalTimeColumn,
  textColumn,
  timeColumn,
} from './columns.ts';
import { openLanceTable } from './lance-table.ts';
import { FORMAT_9 } from './migrations/format-9.ts';
import { rows } from './row-stream.ts';
import { sqlText } from './sql.ts';

export async function openRunTable(
  connection: Connection,
  folder: string,
  create: boolean,
): Promise<RunTable & AsyncDisposable> {
  const schema = new Schema(columns.map((column) => column.field));
  const spec = { name: 'runs', schema, key: ['id'], indexed: [], added };
  const lance = await openLanceTable(connection, folder, spec, create);
  const data = (record: RunRecord) => columns.map((column) => column.data([record]));
  return {
    async begin(record) {
      // A version is made by one commit alone: of two processes that begin at once, each gets its own.
      const begun = { ...record, number: await lance.insert(data(record)) };
      await lance.upsert(data(begun));
      return begun;
    },
    upsert: (record) => lance.upsert(data(record)),
    async update(record, owner) {
      const isOwn = owner === null ? 'target.owner IS NULL' : `target.owner = ${sqlText(owner)}`;
      return (await lance.replace(data(record), `target.state = 'running' AND ${isOwn}`)) > 0;
    },
    async find(id) {
      const where = `id = ${sqlText(toWellFormed(id))}`;
      for await (const record of rows(lance.read({ columns: names, where }), { reader })) return record;
      return undefined;
    },
    scan(filter = {}) {
      const conditions = Object.entries(filter).map(
        ([column, value]) => `${lance.sql(column)} = ${sqlText(value)}`,
      );
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
  textColumn('place', (record: RunRecord) => record.place),
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
  optionalInt64Column('number', (record: RunRecord) => record.number),
  optionalTextColumn('owner', (record: RunRecord) => record.owner),
  optionalInt64Column('lease', (record: RunRecord) => record.lease),
  optionalTextColumn('truncated', (record: RunRecord) => truncatedJson(record.truncated)),
  optionalTextColumn('kinds', (record: RunRecord) => record.kinds && JSON.stringify(record.kinds)),
];
const added = {
  kind: "'direct'",
  submitted: 'true',
  options: "'{}'",
  number: 'CAST(NULL AS BIGINT)',
  owner: 'CAST(NULL AS STRING)',
  lease: 'CAST(NULL AS BIGINT)',
  truncated: 'CAST(NULL AS STRING)',
  place: 'source',
  ...FORMAT_9,
};
const names = columns.map((column) => column.field.name);

function reader(batch: RecordBatch): (index: number) => RunRecord {
  const id = readText(batch, 'id');
  const kind = readText(batch, 'kind');
  const source = readText(batch, 'source');
  const place = readText(batch, 'place');
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
  const number = readOptionalNumber(batch, 'number');
  const owner = readOptionalText(batch, 'owner');
  const lease = readOptionalNumber(batch, 'lease');
  const truncated = readOptionalText(batch, 'truncated');
  const kinds = readOptionalText(batch, 'kinds');
  return (index) => ({
    id: id(index),
    kind: kind(index) as RunRecord['kind'],
    source: source(index),
    place: place(index),
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
    number: number(index),
    owner: owner(index),
    lease: lease(index),
    truncated: parseTruncated(truncated(index)),
    kinds: JSON.parse(kinds(index) ?? 'null') as RunRecord['kinds'],
  });
}

function truncatedJson(truncated: Truncated | null): string | null {
  return truncated && JSON.stringify({ count: truncated.count, first: truncated.first });
}

function parseTruncated(json: string | null): Truncated | null {
  return json === null ? null : (JSON.parse(json) as Truncated);
}
