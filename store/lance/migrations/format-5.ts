import type { Connection, Table } from '@lancedb/lancedb';
import { readOptionalText, readText } from '../column-readers.ts';
import { keySql } from '../key-sql.ts';
import { chunks } from '../row-stream.ts';
import { sqlIn, sqlText } from '../sql.ts';
import { addMissing, openIfThere, replaceKey } from './alter-table.ts';
import { identitySql } from './identity-sql.ts';
import type { Migration } from './migration.ts';
import { sourceSql } from './source-sql.ts';

/** Items know their source: rows and failures get it from the record of the run that wrote them. No vector is touched. */
export const toFormat5: Migration = {
  brings: 'items know which source they came from',
  async takes(connection) {
    let rows = 0;
    for (const { images, captions } of await generationTables(connection))
      rows += (await images.countRows()) + (await captions.countRows());
    return `${rows.toLocaleString('en-US')} rows, about ${Math.ceil(rows / ROWS_A_SECOND) + 1} s`;
  },
  async run(connection) {
    const runs = await openIfThere(connection, 'runs');
    const source = await sourceSql(runs);
    const { failures: failureColumns, images: imageColumns, captions: captionColumns } = identitySql(source);
    const failures = await openIfThere(connection, 'failures');
    if (failures) await addMissing(failures, failureColumns);
    if (failures) await replaceKey(failures, ['collection', 'kind', 'id'], ['collection', 'key']);
    for (const { images, captions } of await generationTables(connection)) {
      await addMissing(images, imageColumns);
      await replaceKey(images, ['id'], ['key']);
      await addMissing(captions, captionColumns);
      await replaceKey(captions, ['id'], ['key']);
      await findPicturesElsewhere(images, captions);
    }
    // The last: until then the runs are those that the sources were read from.
    if (runs) await addMissing(runs, { place: 'source' });
  },
};

/** A guess on the safe side: adding columns does not depend on what else the rows hold. */
const ROWS_A_SECOND = 100_000;

interface OldTables {
  readonly images: Table;
  readonly captions: Table;
}

async function generationTables(connection: Connection): Promise<OldTables[]> {
  const names = await connection.tableNames({ limit: 1_000_000 });
  const generations = names.filter((name) => name.endsWith('.images')).map((name) => name.slice(0, -7));
  return Promise.all(
    generations
      .filter((name) => names.includes(`${name}.captions`))
      .map(async (name) => ({
        images: await connection.openTable(`${name}.images`),
        captions: await connection.openTable(`${name}.captions`),
      })),
  );
}

/** A caption whose picture its own source lacks describes that of the one source that has it, as it did before. */
async function findPicturesElsewhere(images: Table, captions: Table): Promise<void> {
  const wanted = captions.query().where('image_id IS NOT NULL').select(['key', 'image_id', 'image_key']);
  for await (const batch of wanted) {
    const [key, id, imageKey] = [
      readText(batch, 'key'),
      readOptionalText(batch, 'image_id'),
      readText(batch, 'image_key'),
    ];
    const rows = Array.from({ length: batch.numRows }, (_, i) => i);
    const stored = await valuesOf(images, 'key', [...new Set(rows.map(imageKey))], 'key');
    const lost = rows.filter((row) => !stored.has(imageKey(row)));
    const sources = await valuesOf(images, 'id', [...new Set(lost.map((row) => id(row) ?? ''))], 'source');
    const bySource = Map.groupBy(
      lost.filter((row) => sources.get(id(row) ?? '')?.size === 1),
      (row) => [...(sources.get(id(row) ?? '') ?? [])].join(),
    );
    for (const [source, some] of bySource) {
      const image_source = sqlText(source);
      await captions.update({
        where: sqlIn('key', some.map(key)),
        valuesSql: { image_source, image_key: keySql(image_source, sqlText('image'), 'image_id') },
      });
    }
  }
}

/** Of the rows that have one of these texts in a column, the distinct texts in another one. */
async function valuesOf(
  table: Table,
  column: string,
  values: readonly string[],
  wanted: string,
): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for (const some of chunks(values)) {
    const query = table
      .query()
      .where(sqlIn(column, some))
      .select([...new Set([column, wanted])]);
    for await (const batch of query) {
      const [by, value] = [readText(batch, column), readText(batch, wanted)];
      for (let row = 0; row < batch.numRows; row++)
        found.set(by(row), (found.get(by(row)) ?? new Set()).add(value(row)));
    }
  }
  return found;
}
