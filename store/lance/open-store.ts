import { type Connection, connect, Session } from '@lancedb/lancedb';
import { VlmoError } from '#errors.ts';
import { requireTemporaryFolder } from '#scratch-folder.ts';
import type { GenerationRecord, GenerationSpec, GenerationTables, Ledger, Store } from '#store/contract.ts';
import { tablesToMake } from './base-tables.ts';
import { openCalibrationTable } from './calibration-table.ts';
import { openCaptionTable } from './caption-table.ts';
import { openFailureTable } from './failure-table.ts';
import { assertNotSameFolder, generationName } from './generation-names.ts';
import { openGenerationRegistry } from './generation-registry.ts';
import { imageRows } from './image-rows.ts';
import { INDEX_FORMAT, type IndexFolder, openIndexFolder, requireFormat, writeMade } from './index-folder.ts';
import { openLedger } from './ledger.ts';
import { FORMAT_7 } from './migrations/format-7.ts';
import { identitySql } from './migrations/identity-sql.ts';
import { migrateIndex, withFormatLock } from './migrations/migrate.ts';
import { sourceSql } from './migrations/source-sql.ts';
import { pendingRename, renameSource } from './rename-source.ts';
import { openRunTable } from './run-table.ts';
import { attemptRead, attemptWrite } from './store-errors.ts';
import { openVectorTable } from './vector-table.ts';

export interface OpenOptions {
  /** Makes an index where the folder is missing or empty. */
  readonly create: boolean;
  /** Whether it may be written; as `create` where it is left out. */
  readonly write?: boolean;
  /** Told what is done to an index of an older format, and how long that takes. */
  readonly note?: (line: string) => void;
}

/**
 * Opens the index in folder `uri`; with `create`, makes one where the folder is missing or empty. An index of an older
 * format is brought up to date where it is opened to be written, and read as it is otherwise.
 *
 * Every read sees what other processes committed before it. Throws STORE_NOT_FOUND, STORE_FOLDER_OCCUPIED,
 * STORE_VERSION_UNSUPPORTED, STORE_TABLE_LOST, STORE_READ_FAILED,
 * STORE_WRITE_FAILED or MACHINE_FAILED.
 *
 *     await using store = await openStore('./index', { create: true });
 *     const { images } = await store.openGeneration(spec);
 *     const hits = await images.nearest(query, { k: 10, where: parseFilter('width > 640', 'image') });
 */
export async function openStore(
  uri: string,
  { create, write = create, note = () => undefined }: OpenOptions,
): Promise<Store> {
  const folder = await openIndexFolder(uri, { create });
  const connection = await openConnection(folder);
  const missing = await tablesToMake(folder, connection, create);
  if (write) await migrateIndex(folder, connection, note);
  const ledger = await openOwnLedger(connection, folder, missing, write);
  const isNew = missing.has('runs');
  const registry = await openGenerationRegistry(connection, folder.path, isNew);
  const older = write ? undefined : await olderColumns(folder, connection);
  const failures = await openFailureTable(connection, folder.path, isNew, older?.failures ?? {});
  const runs = await openRunTable(connection, folder.path, isNew);
  if (write && !folder.isMade)
    await attemptWrite(`index "${folder.path}"`, () => withFormatLock(folder, () => writeMade(folder)));
  const calibrations = openCalibrationTable(connection, folder.path);
  const opened = new Map<string, Promise<OpenGeneration>>();

  function open(record: GenerationRecord, create: boolean): Promise<OpenGeneration> {
    const tables = opened.get(record.name) ?? openTables(connection, folder.path, record, create, older);
    opened.set(record.name, tables);
    tables.catch(() => opened.delete(record.name));
    return tables;
  }

  const store: Store = {
    uri: folder.path,
    localFolder: folder.path,
    id: folder.id,
    isWritable: write || folder.format === INDEX_FORMAT,
    requireFormat: () => requireFormat(folder),
    failures,
    runs,
    ledger,
    calibrations,
    generations: async () => [...(await registry.all())],
    async collections() {
      return [...(await registry.active()).keys()].sort();
    },
    async activeGeneration(collection) {
      for (;;) {
        const [active, all] = await Promise.all([registry.active(), registry.all()]);
        const name = active.get(collection);
        const record = all.find((one) => one.name === name);
        // A generation is in the registry before it is active: one that is not has come between the two reads.
        if (record || name === undefined || (await registry.active()).get(collection) === name) return record;
      }
    },
    async openGeneration(spec) {
      const name = generationName(spec);
      const all = await registry.all();
      const known = all.find((record) => record.name === name);
      if (known !== undefined) assertSameModel(known, spec);
      assertNotSameFolder(
        spec.collection,
        all.map((record) => record.collection),
      );
      // The model may lie elsewhere by now than when it indexed last.
      const record = { ...spec, name, createdAt: known?.createdAt ?? new Date() };
      // Tables, registry, active: a process killed between two steps leaves what the next one completes.
      // Known and without tables, it has lost them: new ones would hide that.
      const tables = await open(record, known === undefined);
      if (known?.modelPath !== record.modelPath || known.modelName !== record.modelName)
        await registry.put(record);
      if (!(await registry.active()).has(spec.collection)) await registry.activate(record);
      return tables;
    },
    tables: (record) => open(record, false),
    activate: (record) => registry.activate(record),
    async drop(record) {
      // The registry first: what is killed in between leaves tables that nobody knows, which the same model takes up again.
      await registry.remove(record);
      await (await opened.get(record.name)?.catch(() => undefined))?.close();
      opened.delete(record.name);
      const names = await connection.tableNames({ limit: 1_000_000 });
      for (const name of [`${record.name}.images`, `${record.name}.captions`])
        if (names.includes(name)) await attemptWrite(`table "${name}"`, () => connection.dropTable(name));
    },
    renameSource: (names) =>
      attemptWrite(`index "${folder.path}"`, () => renameSource(folder, connection, names)),
    pendingRename: () => attemptRead(`index "${folder.path}"`, () => pendingRename(folder)),
    async close() {
      for (const tables of opened.values()) await (await tables).close();
      for (const table of [failures, runs, ledger, calibrations, registry])
        await table[Symbol.asyncDispose]();
      connection.close();
    },
    [Symbol.asyncDispose]: () => store.close(),
  };
  return store;
}

interface OpenGeneration extends GenerationTables {
  close(): Promise<void>;
}

// Lance's own limits are 6 GB and 1 GB, which a long run of writes does fill.
const INDEX_CACHE_BYTES = BigInt(256 * 2 ** 20);
const METADATA_CACHE_BYTES = BigInt(64 * 2 ** 20);

async function openConnection(folder: IndexFolder): Promise<Connection> {
  return attemptRead(`index "${folder.path}"`, async () => {
    // 0: look for a newer version before each read, so that a server sees what an indexing process commits.
    requireTemporaryFolder();
    const session = new Session(INDEX_CACHE_BYTES, METADATA_CACHE_BYTES);
    return connect(folder.lancePath, { readConsistencyInterval: 0, session });
  });
}

/** An index of before there was a ledger, opened to be read, gets an empty one in memory. */
async function openOwnLedger(
  connection: Connection,
  folder: IndexFolder,
  missing: ReadonlySet<string>,
  write: boolean,
): Promise<Ledger & AsyncDisposable> {
  const isMissing = missing.has('chunks') || missing.has('chunk_results');
  const place = isMissing && !write ? await connect('memory://') : connection;
  return openLedger(place, folder.path, isMissing);
}

type OlderColumns = ReturnType<typeof identitySql>;

/** What stands for the columns that an index of an older format lacks, while it is only read. */
async function olderColumns(folder: IndexFolder, connection: Connection): Promise<OlderColumns | undefined> {
  if (folder.format >= INDEX_FORMAT) return undefined;
  const none: OlderColumns = { images: {}, captions: {}, failures: {} };
  const { captions, ...others } =
    folder.format >= 5
      ? none
      : await attemptRead(`index "${folder.path}"`, async () =>
          identitySql(await sourceSql(await connection.openTable('runs'))),
        );
  return { ...others, captions: { ...captions, words: 'CAST(NULL AS STRING)' } };
}

async function openTables(
  connection: Connection,
  folder: string,
  record: GenerationRecord,
  create: boolean,
  older: OlderColumns | undefined,
): Promise<OpenGeneration> {
  const { name, dimensions } = record;
  const imageSpec = {
    ...{ name: `${name}.images`, format: imageRows, dimensions, indexed: [] },
    added: { ...FORMAT_7.images, ...older?.images },
  } as const;
  const images = await openVectorTable(connection, folder, imageSpec, create);
  const captions = await openCaptionTable(
    connection,
    folder,
    { name: `${name}.captions`, dimensions, added: older?.captions ?? {} },
    create,
  );
  return {
    record,
    images,
    captions,
    async close() {
      await images.lance.close();
      await captions.lance.close();
    },
  };
}

/** Twelve digits name a generation, but the whole fingerprint and the length of its vectors decide. */
function assertSameModel(known: GenerationRecord, spec: GenerationSpec): void {
  if (known.fingerprint === spec.fingerprint && known.dimensions === spec.dimensions) return;
  const expected = `${known.fingerprint} of ${known.dimensions} dimensions`;
  const received = `${spec.fingerprint} of ${spec.dimensions} dimensions`;
  const message = `Cannot open generation "${known.name}": expected model ${expected}, received ${received}`;
  throw new VlmoError('STORE_GENERATION_CONFLICT', message);
}
