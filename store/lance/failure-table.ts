import type { Connection } from '@lancedb/lancedb';
import { type RecordBatch, Schema } from 'apache-arrow';
import type { ErrorCode } from '#errors.ts';
import type { FailureRecord, FailureTable } from '#store/contract.ts';
import { toWellFormed } from '#well-formed.ts';
import {
  readBool,
  readNumber,
  readOptionalNumber,
  readOptionalText,
  readText,
  readTime,
} from './column-readers.ts';
import {
  boolColumn,
  int32Column,
  optionalInt64Column,
  optionalTextColumn,
  textColumn,
  timeColumn,
} from './columns.ts';
import { openLanceTable } from './lance-table.ts';
import { FORMAT_7 } from './migrations/format-7.ts';
import { chunks, rows } from './row-stream.ts';
import { sqlIn, sqlText } from './sql.ts';

export async function openFailureTable(
  connection: Connection,
  folder: string,
  create: boolean,
  older: Readonly<Record<string, string>>,
): Promise<FailureTable & AsyncDisposable> {
  const schema = new Schema(columns.map((column) => column.field));
  const key = ['collection', 'key'];
  const spec = { name: 'failures', schema, key, indexed: ['key'], added: { ...ADDED, ...older } };
  const lance = await openLanceTable(connection, folder, spec, create);

  return {
    async find(collection, keys) {
      const found: FailureRecord[] = [];
      for (const some of chunks(keys)) {
        const where = `${ofCollection(collection)} AND ${sqlIn(lance.sql('key'), some)}`;
        for await (const record of rows(lance.read({ columns: names, where }), { reader }))
          found.push(record);
      }
      return found;
    },
    async upsert(records) {
      assertDistinct(records);
      await lance.upsert(
        columns.map((column) => column.data(records)),
        IS_NOT_OLDER,
      );
    },
    async delete(keys) {
      if (keys.length > 0) await lance.delete(anyOf(keys));
    },
    deleteOfRuns(collection, runs, source) {
      const ofRuns = `${ofCollection(collection)} AND ${sqlIn('run', runs.map(toWellFormed))}`;
      const ofSource = source === undefined ? '' : ` AND ${sqlIn('source', [toWellFormed(source)])}`;
      return lance.delete(ofRuns + ofSource);
    },
    count: (collection) => lance.count(collection === undefined ? undefined : ofCollection(collection)),
    scan(collection) {
      const where = collection === undefined ? undefined : ofCollection(collection);
      return rows(lance.read({ columns: names, where }), { reader });
    },
    optimize: () => lance.optimize(),
    [Symbol.asyncDispose]: () => lance.close(),
  };
}

const columns = [
  textColumn('collection', (record: FailureRecord) => record.collection),
  textColumn('key', (record: FailureRecord) => record.key),
  textColumn('kind', (record: FailureRecord) => record.kind),
  textColumn('source', (record: FailureRecord) => record.source),
  textColumn('id', (record: FailureRecord) => record.id),
  textColumn('uri', (record: FailureRecord) => record.uri),
  textColumn('code', (record: FailureRecord) => record.code),
  textColumn('message', (record: FailureRecord) => record.message),
  int32Column('attempts', (record: FailureRecord) => record.attempts),
  boolColumn('retriable', (record: FailureRecord) => record.retriable),
  optionalTextColumn('sha256', (record: FailureRecord) => record.sha256),
  optionalTextColumn('item', (record: FailureRecord) => record.item),
  timeColumn('failed_at', (record: FailureRecord) => record.failedAt),
  textColumn('run', (record: FailureRecord) => record.run),
  optionalInt64Column('run_number', (record: FailureRecord) => record.runNumber),
  optionalTextColumn('stamp', (record: FailureRecord) => record.stamp),
];
/** What stands for columns that tables of before format 5 lack. */
const ADDED = { item: 'CAST(NULL AS STRING)', run_number: 'CAST(NULL AS BIGINT)', ...FORMAT_7.failures };
const IS_NOT_OLDER =
  'source.run_number IS NULL OR target.run_number IS NULL OR source.run_number >= target.run_number';
const names = columns.map((column) => column.field.name);

function reader(batch: RecordBatch): (index: number) => FailureRecord {
  const collection = readText(batch, 'collection');
  const key = readText(batch, 'key');
  const kind = readText(batch, 'kind');
  const source = readText(batch, 'source');
  const id = readText(batch, 'id');
  const uri = readText(batch, 'uri');
  const code = readText(batch, 'code');
  const message = readText(batch, 'message');
  const attempts = readNumber(batch, 'attempts');
  const retriable = readBool(batch, 'retriable');
  const sha256 = readOptionalText(batch, 'sha256');
  const item = readOptionalText(batch, 'item');
  const failedAt = readTime(batch, 'failed_at');
  const run = readText(batch, 'run');
  const runNumber = readOptionalNumber(batch, 'run_number');
  const stamp = readOptionalText(batch, 'stamp');
  return (index) => ({
    collection: collection(index),
    key: key(index),
    kind: kind(index) as FailureRecord['kind'],
    source: source(index),
    id: id(index),
    uri: uri(index),
    code: code(index) as ErrorCode,
    message: message(index),
    attempts: attempts(index),
    retriable: retriable(index),
    sha256: sha256(index),
    item: item(index),
    failedAt: failedAt(index),
    run: run(index),
    runNumber: runNumber(index),
    stamp: stamp(index),
  });
}

function ofCollection(collection: string): string {
  return `collection = ${sqlText(toWellFormed(collection))}`;
}

type Key = Pick<FailureRecord, 'collection' | 'key'>;

/** One condition for all keys, so that they go in one commit. */
function anyOf(keys: readonly Key[]): string {
  const groups = Map.groupBy(keys, ({ collection }) => collection);
  const conditions = Array.from(
    groups,
    ([collection, members]) =>
      `(${ofCollection(collection)} AND ${sqlIn(
        'key',
        members.map(({ key }) => key),
      )})`,
  );
  return conditions.join(' OR ');
}

function assertDistinct(keys: readonly Key[]): void {
  const distinct = new Set(keys.map(({ collection, key }) => `${collection} ${key}`));
  if (distinct.size !== keys.length) {
    throw new Error(
      `Cannot upsert ${keys.length} failures: received only ${distinct.size} keys, this is a bug`,
    );
  }
}
