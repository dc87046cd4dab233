import type { Connection } from '@lancedb/lancedb';
import { type RecordBatch, Schema } from 'apache-arrow';
import type { CalibrationTable, StoredCalibration } from '#store/contract.ts';
import { atVersion } from './at-version.ts';
import { readText } from './column-readers.ts';
import { textColumn } from './columns.ts';
import { type LanceTable, openLanceTable } from './lance-table.ts';
import { collect, rows } from './row-stream.ts';
import { attemptRead } from './store-errors.ts';

/** One row a model, as JSON: few, read as a whole, once a version. The table is made with the first of them. */
export function openCalibrationTable(
  connection: Connection,
  folder: string,
): CalibrationTable & AsyncDisposable {
  let opened: Opened | undefined;

  async function open(create: boolean): Promise<Opened | undefined> {
    if (opened) return opened;
    if (!create && !(await isMade(connection, folder))) return undefined;
    const lance = await openLanceTable(connection, folder, spec, create);
    const all = atVersion(lance.version, () => collect(rows(lance.read({ columns: names }), { reader })));
    opened = { lance, all };
    return opened;
  }

  return {
    async find(fingerprint) {
      const found = (await (await open(false))?.all())?.find((record) => record.fingerprint === fingerprint);
      return found;
    },
    async put(record) {
      await (await open(true))?.lance.upsert(columns.map((column) => column.data([record])));
    },
    async [Symbol.asyncDispose]() {
      await opened?.lance.close();
    },
  };
}

interface Opened {
  readonly lance: LanceTable;
  readonly all: () => Promise<readonly StoredCalibration[]>;
}

const columns = [
  textColumn('fingerprint', (record: StoredCalibration) => record.fingerprint),
  textColumn('calibration', (record: StoredCalibration) => JSON.stringify(record)),
];
const names = columns.map((column) => column.field.name);
const spec = {
  name: 'calibrations',
  schema: new Schema(columns.map((column) => column.field)),
  key: ['fingerprint'],
  indexed: [],
};

async function isMade(connection: Connection, folder: string): Promise<boolean> {
  const tables = await attemptRead(`index "${folder}"`, () => connection.tableNames({ limit: 1_000_000 }));
  return tables.includes(spec.name);
}

function reader(batch: RecordBatch): (index: number) => StoredCalibration {
  const calibration = readText(batch, 'calibration');
  return (index) => {
    const { fittedAt, ...record } = JSON.parse(calibration(index)) as Omit<StoredCalibration, 'fittedAt'> & {
      readonly fittedAt: string;
    };
    return { ...record, fittedAt: new Date(fittedAt) };
  };
}
