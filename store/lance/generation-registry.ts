import type { Connection } from '@lancedb/lancedb';
import { type RecordBatch, Schema } from 'apache-arrow';
import type { GenerationRecord } from '#store/contract.ts';
import { atVersion } from './at-version.ts';
import { readNumber, readText, readTime } from './column-readers.ts';
import { int32Column, textColumn, timeColumn } from './columns.ts';
import { openLanceTable } from './lance-table.ts';
import { collect, rows } from './row-stream.ts';
import { sqlIn } from './sql.ts';

/** Which generations exist, and which one serves each collection. Few rows: read as a whole, once a version. */
export interface GenerationRegistry extends AsyncDisposable {
  all(): Promise<readonly GenerationRecord[]>;
  /** Collection to the name of its active generation. */
  active(): Promise<ReadonlyMap<string, string>>;
  /** Adds a generation, or brings what is known of it up to date. */
  put(record: GenerationRecord): Promise<void>;
  activate(record: GenerationRecord): Promise<void>;
  remove(record: GenerationRecord): Promise<void>;
}

export async function openGenerationRegistry(
  connection: Connection,
  folder: string,
  create: boolean,
): Promise<GenerationRegistry> {
  const generations = await openLanceTable(connection, folder, generationSpec, create);
  const collections = await openLanceTable(connection, folder, collectionSpec, create);
  return {
    all: atVersion(generations.version, () =>
      collect(rows(generations.read({ columns: generationNames }), { reader })),
    ),
    active: atVersion(collections.version, async () => {
      const entries = rows(collections.read({ columns: ['collection', 'generation'] }), {
        reader: readActive,
      });
      return new Map(await collect(entries));
    }),
    put: (record) => generations.upsert(generationColumns.map((column) => column.data([record]))),
    activate: (record) => collections.upsert(collectionColumns.map((column) => column.data([record]))),
    remove: ({ name }) => generations.delete(sqlIn('name', [name])),
    async [Symbol.asyncDispose]() {
      await generations.close();
      await collections.close();
    },
  };
}

const generationColumns = [
  textColumn('name', (record: GenerationRecord) => record.name),
  textColumn('collection', (record: GenerationRecord) => record.collection),
  textColumn('fingerprint', (record: GenerationRecord) => record.fingerprint),
  textColumn('model_name', (record: GenerationRecord) => record.modelName),
  textColumn('model_path', (record: GenerationRecord) => record.modelPath),
  textColumn('preprocess', (record: GenerationRecord) => record.preprocess),
  int32Column('dimensions', (record: GenerationRecord) => record.dimensions),
  timeColumn('created_at', (record: GenerationRecord) => record.createdAt),
];
const generationNames = generationColumns.map((column) => column.field.name);
const generationSpec = {
  name: 'generations',
  schema: new Schema(generationColumns.map((column) => column.field)),
  key: ['name'],
  indexed: [],
};

const collectionColumns = [
  textColumn('collection', (record: GenerationRecord) => record.collection),
  textColumn('generation', (record: GenerationRecord) => record.name),
];
const collectionSpec = {
  name: 'collections',
  schema: new Schema(collectionColumns.map((column) => column.field)),
  key: ['collection'],
  indexed: [],
};

function reader(batch: RecordBatch): (index: number) => GenerationRecord {
  const name = readText(batch, 'name');
  const collection = readText(batch, 'collection');
  const fingerprint = readText(batch, 'fingerprint');
  const modelName = readText(batch, 'model_name');
  const modelPath = readText(batch, 'model_path');
  const preprocess = readText(batch, 'preprocess');
  const dimensions = readNumber(batch, 'dimensions');
  const createdAt = readTime(batch, 'created_at');
  return (index) => ({
    name: name(index),
    collection: collection(index),
    fingerprint: fingerprint(index),
    modelName: modelName(index),
    modelPath: modelPath(index),
    preprocess: preprocess(index),
    dimensions: dimensions(index),
    createdAt: createdAt(index),
  });
}

function readActive(batch: RecordBatch): (index: number) => readonly [string, string] {
  const collection = readText(batch, 'collection');
  const generation = readText(batch, 'generation');
  return (index) => [collection(index), generation(index)];
}
