import { keySql } from '../key-sql.ts';
import { sqlText } from '../sql.ts';
import type { SourceSql } from './source-sql.ts';

/** Columns by their names, each as the SQL that makes it of what the rows have. */
export type AddedColumns = Readonly<Record<string, string>>;

/**
 * The columns that format 5 has brought, made of a row's source as SQL: what tables of an older format are read by, and
 * what they get when they are brought up to date. A caption describes a picture of its own source here.
 */
export function identitySql(
  sql: SourceSql,
): Readonly<Record<'images' | 'captions' | 'failures', AddedColumns>> {
  const [source, image_source] = [sql('source'), sql('image_source')];
  const shared = (kind: string): AddedColumns => ({ source, key: keySql(source, kind, 'id') });
  return {
    images: shared(sqlText('image')),
    captions: {
      ...shared(sqlText('caption')),
      image_source,
      image_key: keySql(image_source, sqlText('image'), 'image_id'),
    },
    failures: shared('kind'),
  };
}
