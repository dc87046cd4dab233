import { dirname } from 'node:path';
import type { Table } from '@lancedb/lancedb';
import { DEFAULT_SOURCE } from '#store/item-key.ts';
import { readText } from '../column-readers.ts';
import { sqlIn, sqlText } from '../sql.ts';

interface Run {
  readonly id: string;
  readonly source: string;
  readonly collection: string;
}

/** The source of a row, or of the picture of a caption, which is NULL for a caption without one. */
export type SourceSql = (column: 'source' | 'image_source') => string;

/**
 * The source of a row of an index that did not know it, as SQL over its columns: that of the run that wrote it; for a run
 * over what had failed, the source of its collection that the row's file lies in; else the default one.
 */
export async function sourceSql(runs: Table | undefined): Promise<SourceSql> {
  const all: Run[] = [];
  for await (const batch of runs?.query().select(['id', 'source', 'collection']) ?? []) {
    const [id, source, collection] = ['id', 'source', 'collection'].map((name) => readText(batch, name));
    for (let row = 0; row < batch.numRows; row++)
      all.push({ id: id?.(row) ?? '', source: source?.(row) ?? '', collection: collection?.(row) ?? '' });
  }
  const isRetry = ({ source }: Run): boolean => source.startsWith('failures of ');
  const read = all.filter((run) => !isRetry(run));
  const cases: string[] = [
    ...Array.from(
      Map.groupBy(read, ({ source }) => source),
      ([source, some]) => `WHEN ${ofRuns(some)} THEN ${sqlText(source)}`,
    ),
    ...Array.from(Map.groupBy(all.filter(isRetry), ({ collection }) => collection)).flatMap(
      ([collection, some]) =>
        retryCases(
          some,
          read.filter((run) => run.collection === collection).map(({ source }) => source),
        ),
    ),
  ];
  return (column) => {
    const none = column === 'image_source' ? ['WHEN image_id IS NULL THEN NULL'] : [];
    const all = [...none, ...cases];
    if (all.length === 0) return asText(sqlText(DEFAULT_SOURCE));
    return asText(`CASE ${all.join(' ')} ELSE ${sqlText(DEFAULT_SOURCE)} END`);
  };
}

/** Lance takes a CASE in a function only, and Arrow for JavaScript no view of a text. */
function asText(sql: string): string {
  return `arrow_cast(${sql}, 'Utf8')`;
}

function retryCases(retries: readonly Run[], sources: readonly string[]): string[] {
  const distinct = [...new Set(sources)];
  const [only] = distinct;
  if (only !== undefined && distinct.length === 1) return [`WHEN ${ofRuns(retries)} THEN ${sqlText(only)}`];
  // The innermost folder first; a manifest's pictures mostly lie beside it.
  const folders = [...distinct.map((source) => [source, source]), ...distinct.map((s) => [dirname(s), s])];
  return folders
    .toSorted(([a = ''], [b = '']) => b.length - a.length)
    .map(
      ([folder, source = '']) =>
        `WHEN ${ofRuns(retries)} AND starts_with(uri, ${sqlText(`${folder}/`)}) THEN ${sqlText(source)}`,
    );
}

function ofRuns(runs: readonly Run[]): string {
  return sqlIn(
    'run',
    runs.map(({ id }) => id),
  );
}
