import type { Connection } from '@lancedb/lancedb';
import { halfToFloat } from '#float16.ts';
import type { Filter, ItemRow, VectorTable } from '#store/contract.ts';
import { toWellFormed } from '#well-formed.ts';
import { readAddresses, readVectors } from './addressed-vectors.ts';
import { lookUpAtVersion, type Sized } from './at-version.ts';
import { readAddress, readAllVectors, readText, readVector } from './column-readers.ts';
import { compileFilter } from './compile-filter.ts';
import { gather } from './gather.ts';
import { type LanceTable, openLanceTable } from './lance-table.ts';
import { findNearest } from './nearest.ts';
import { findApproximately } from './nearest-approximate.ts';
import { chunks, rows } from './row-stream.ts';
import { sqlIn, sqlText } from './sql.ts';
import { type RowFormat, vectorColumns, vectorSchema } from './vector-rows.ts';

export interface VectorTableSpec<Row> {
  readonly name: string;
  readonly format: RowFormat<Row>;
  readonly dimensions: number;
  /** Columns beside key and id that are looked up by value. */
  readonly indexed: readonly string[];
  /** What stands for columns that a table of an older format lacks, as SQL. */
  readonly added: Readonly<Record<string, string>>;
}

/** A table of vectors, and the LanceDB table under it for what only one kind can do. */
export interface OpenVectorTable<Row extends ItemRow> extends VectorTable<Row> {
  readonly lance: LanceTable;
}

export async function openVectorTable<Row extends ItemRow>(
  connection: Connection,
  folder: string,
  { name, format, dimensions, indexed, added }: VectorTableSpec<Row>,
  create: boolean,
): Promise<OpenVectorTable<Row>> {
  const schema = vectorSchema(format, dimensions);
  const spec = { name, schema, key: ['key'], indexed: ['key', 'id', ...indexed], added };
  const lance = await openLanceTable(connection, folder, spec, create);

  const compile = (where: Filter | undefined) => compileFilter(where, lance.sql);

  const find = gather(async (keys: readonly string[]): Promise<Map<string, Row>> => {
    const found = new Map<string, Row>();
    for (const some of chunks(keys)) {
      const where = sqlIn(lance.sql('key'), some);
      for await (const row of rows(lance.read({ columns: format.readColumns, where }), format)) {
        found.set(row.key, row);
      }
    }
    return found;
  });

  const readAt = gather(async (addresses: readonly bigint[]): Promise<Map<bigint, Sized<Row>>> => {
    const found = new Map<bigint, Sized<Row>>();
    for (const some of chunks(addresses))
      for await (const batch of lance.take(some, format.readColumns)) {
        const row = format.reader(batch);
        const bytes = Math.ceil(batch.data.byteLength / batch.numRows);
        readAddress(batch).forEach((address, index) => {
          found.set(address, { value: row(index), bytes });
        });
      }
    return found;
  });

  return {
    lance,
    find,
    rowsAt: lookUpAtVersion(lance.version, readAt),
    async vector(key) {
      const where = `${lance.sql('key')} = ${sqlText(key)}`;
      for await (const batch of lance.read({ columns: ['vector'], where })) {
        if (batch.numRows > 0) return halfToFloat(readVector(batch, 'vector', dimensions)(0));
      }
      return undefined;
    },
    version: () => lance.version(),
    addresses: (where) => readAddresses(lance, compile(where)),
    vectors: (addresses) => readVectors(lance, dimensions, addresses),
    async *scanVectors(where) {
      const columns = [...format.readColumns, 'vector'];
      for await (const batch of lance.read({ columns, where: compile(where) })) {
        const row = format.reader(batch);
        const found = Array.from({ length: batch.numRows }, (_, index) => row(index));
        yield { rows: found, halves: readAllVectors(batch, 'vector', dimensions) };
      }
    },
    async *scanKeyedVectors(where) {
      for await (const batch of lance.read({ columns: ['key', 'vector'], where: compile(where) })) {
        const key = readText(batch, 'key');
        const keys = Array.from({ length: batch.numRows }, (_, index) => key(index));
        yield { keys, halves: readAllVectors(batch, 'vector', dimensions) };
      }
    },
    async findVectors(keys) {
      const found = new Map<string, Float32Array>();
      for (const some of chunks(keys)) {
        const where = sqlIn(lance.sql('key'), some);
        for await (const batch of lance.read({ columns: ['key', 'vector'], where })) {
          const [key, vector] = [readText(batch, 'key'), readVector(batch, 'vector', dimensions)];
          for (let index = 0; index < batch.numRows; index++)
            found.set(key(index), halfToFloat(vector(index)));
        }
      }
      return found;
    },
    async upsert(batch) {
      await lance.upsert(vectorColumns(format, dimensions, batch));
    },
    async delete(keys) {
      for (const some of chunks(keys)) await lance.delete(sqlIn('key', some));
    },
    async deleteUnchanged(given) {
      for (const some of chunks(given)) {
        const runs = [...new Set(some.map(({ run }) => run))];
        const keys = some.map(({ key }) => key);
        await lance.delete(`${sqlIn('key', keys)} AND ${sqlIn('run', runs.map(toWellFormed))}`);
      }
    },
    async *scanKeys(where) {
      for await (const batch of lance.read({ columns: ['key', 'run'], where: compile(where) })) {
        const [key, run] = [readText(batch, 'key'), readText(batch, 'run')];
        yield Array.from({ length: batch.numRows }, (_, index) => ({ key: key(index), run: run(index) }));
      }
    },
    async *scanTexts<Name extends string>(columns: readonly Name[], where?: Filter) {
      for await (const batch of lance.read({ columns, where: compile(where) })) {
        const readers = columns.map((name) => [name, readText(batch, name)] as const);
        yield Array.from(
          { length: batch.numRows },
          (_, row) =>
            Object.fromEntries(readers.map(([name, text]) => [name, text(row)])) as Record<Name, string>,
        );
      }
    },
    count: (where) => lance.count(compile(where)),
    async countBySource() {
      const counts = new Map<string, number>();
      for await (const batch of lance.read({ columns: ['source'] })) {
        const source = readText(batch, 'source');
        for (let index = 0; index < batch.numRows; index++)
          counts.set(source(index), (counts.get(source(index)) ?? 0) + 1);
      }
      return counts;
    },
    nearest: (query, { k, where }) =>
      findNearest(lance, format, dimensions, query, { k, where: compile(where) }),
    nearestApproximate: (query, { k, where, probes }) =>
      findApproximately(lance, format, dimensions, query, { k, where: compile(where), probes }),
    vectorIndex: () => lance.vectorIndex(),
    buildVectorIndex: () => lance.buildVectorIndex(),
    dropVectorIndex: () => lance.dropVectorIndex(),
    scan: (where) => rows(lance.read({ columns: format.readColumns, where: compile(where) }), format),
    optimize: () => lance.optimize(),
  };
}
