import type { Connection } from '@lancedb/lancedb';
import { halfToFloat } from '#float16.ts';
import type { VectorTable } from '#store/contract.ts';
import { toWellFormed } from '#well-formed.ts';
import { readAddresses, readVectors } from './addressed-vectors.ts';
import { readAllVectors, readText, readVector } from './column-readers.ts';
import { compileFilter } from './compile-filter.ts';
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
  /** Columns beside `id` that are looked up by value. */
  readonly indexed: readonly string[];
}

/** A table of vectors, and the LanceDB table under it for what only one kind can do. */
export interface OpenVectorTable<Row extends { readonly id: string }> extends VectorTable<Row> {
  readonly lance: LanceTable;
}

export async function openVectorTable<Row extends { readonly id: string }>(
  connection: Connection,
  folder: string,
  { name, format, dimensions, indexed }: VectorTableSpec<Row>,
  create: boolean,
): Promise<OpenVectorTable<Row>> {
  const schema = vectorSchema(format, dimensions);
  const spec = { name, schema, key: ['id'], indexed: ['id', ...indexed] };
  const lance = await openLanceTable(connection, folder, spec, create);

  return {
    lance,
    async find(ids) {
      const found = new Map<string, Row>();
      for (const some of chunks(ids)) {
        const where = sqlIn('id', some.map(toWellFormed));
        for await (const row of rows(lance.read({ columns: format.readColumns, where }), format)) {
          found.set(row.id, row);
        }
      }
      return found;
    },
    async vector(id) {
      const where = `id = ${sqlText(toWellFormed(id))}`;
      for await (const batch of lance.read({ columns: ['vector'], where })) {
        if (batch.numRows > 0) return halfToFloat(readVector(batch, 'vector', dimensions)(0));
      }
      return undefined;
    },
    version: () => lance.version(),
    addresses: (where) => readAddresses(lance, compileFilter(where)),
    vectors: (addresses) => readVectors(lance, dimensions, addresses),
    async *scanVectors() {
      for await (const batch of lance.read({ columns: [...format.readColumns, 'vector'] })) {
        const row = format.reader(batch);
        const found = Array.from({ length: batch.numRows }, (_, index) => row(index));
        yield { rows: found, halves: readAllVectors(batch, 'vector', dimensions) };
      }
    },
    async findVectors(ids) {
      const found = new Map<string, Float32Array>();
      for (const some of chunks(ids)) {
        const where = sqlIn('id', some.map(toWellFormed));
        for await (const batch of lance.read({ columns: ['id', 'vector'], where })) {
          const [id, vector] = [readText(batch, 'id'), readVector(batch, 'vector', dimensions)];
          for (let index = 0; index < batch.numRows; index++)
            found.set(id(index), halfToFloat(vector(index)));
        }
      }
      return found;
    },
    async upsert(batch) {
      await lance.upsert(vectorColumns(format, dimensions, batch));
    },
    async delete(ids) {
      for (const some of chunks(ids)) await lance.delete(sqlIn('id', some.map(toWellFormed)));
    },
    count: (where) => lance.count(compileFilter(where)),
    nearest: (query, { k, where }) =>
      findNearest(lance, format, dimensions, query, { k, where: compileFilter(where) }),
    nearestApproximate: (query, { k, where, probes }) =>
      findApproximately(lance, format, dimensions, query, { k, where: compileFilter(where), probes }),
    vectorIndex: () => lance.vectorIndex(),
    buildVectorIndex: () => lance.buildVectorIndex(),
    dropVectorIndex: () => lance.dropVectorIndex(),
    scan: (where) => rows(lance.read({ columns: format.readColumns, where: compileFilter(where) }), format),
    optimize: () => lance.optimize(),
  };
}
